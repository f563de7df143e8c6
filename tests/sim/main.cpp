// sim_run --seeds A..B: runs simulated clusters. A failing seed prints the command that repeats it.
#include "simulation.hpp"

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>

using namespace jarvis;

namespace {

bool parse_seeds(const std::string& text, std::uint64_t& first, std::uint64_t& last)
{
    const auto dots = text.find("..");
    try {
        first = std::stoull(text.substr(0, dots));
        last = dots == std::string::npos ? first : std::stoull(text.substr(dots + 2));
    } catch (const std::exception&) {
        return false;
    }
    return first <= last;
}

} // namespace

int main(int argc, char** argv)
{
    CLI::App app{"Runs simulated clusters from seeds and checks what must always hold.", "sim_run"};
    std::string seeds = "1..100";
    sim::Options options;
    app.add_option("--seeds", seeds, "One seed, or A..B")->capture_default_str();
    app.add_option("--jobs", options.jobs, "Submits of one run")->capture_default_str();
    app.add_option("--faults", options.faults, "Planned faults of one run")->capture_default_str();
    app.add_flag("--trace", options.trace, "Say what happens");
    CLI11_PARSE(app, argc, argv);
    std::uint64_t first = 0, last = 0;
    if (!parse_seeds(seeds, first, last)) {
        std::cerr << "sim_run: --seeds takes a number or A..B with A not above B, not \"" << seeds << "\"\n";
        return 2;
    }
    const auto began = std::chrono::steady_clock::now();
    std::map<std::string, std::uint64_t> total;
    for (auto seed = first; seed <= last; ++seed) {
        try {
            for (const auto& [what, n] : sim::simulate(seed, options))
                total[what] += n;
        } catch (const sim::Broken& what) {
            std::cout << fmt::format("seed {}: {}\nrepeat it with: {} --seeds {} --jobs {} --faults {} --trace\n", seed, what.what(), argv[0], seed,
                                     options.jobs, options.faults);
            return 1;
        }
    }
    for (const auto& [what, n] : total)
        std::cout << fmt::format("{:>12}  {}\n", n, what);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    std::cout << fmt::format("{} seeds in {:.1f} s, all invariants held\n", last - first + 1, took.count());
    return 0;
}
