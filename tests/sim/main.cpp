// sim_run --seeds A..B: runs simulated clusters. A failing seed prints the command that repeats it.
#include "coverage.hpp"
#include "shrink.hpp"
#include "simulation.hpp"

#include "base/index_set.hpp"

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <iostream>
#include <mutex>
#include <thread>

using namespace jarvis;

namespace {

struct Settings {
    std::string seeds = "1..100";
    std::string without_jobs, without_faults;
    double minutes = 0; // 0: until all seeds have run
    unsigned threads = 1;
    bool shrink = false;
    sim::Options run;
};

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

bool parse_list(const std::string& text, std::set<std::uint64_t>& into)
{
    if (text.empty())
        return true;
    const auto numbers = parse_index_set(text, 1'000'000);
    if (numbers)
        numbers->for_each([&](std::uint32_t number) { into.insert(number); });
    return numbers.has_value();
}

// Seeds in their order, by several threads, until one fails, all have run or the time is up.
class Runner {
    const Settings& settings_;
    const std::uint64_t last_;
    std::atomic<std::uint64_t> next_;
    std::atomic<bool> stop_ = false;
    std::mutex mutex_;
    sim::Coverage coverage_;
    std::uint64_t ran_ = 0;
    std::optional<std::pair<std::uint64_t, std::string>> failed_; // the lowest

    void work(std::chrono::steady_clock::time_point until)
    {
        while (!stop_ && (settings_.minutes <= 0 || std::chrono::steady_clock::now() < until)) {
            const auto seed = next_++;
            if (seed > last_)
                return;
            try {
                const auto counts = sim::simulate(seed, settings_.run);
                const std::scoped_lock lock(mutex_);
                coverage_.add(counts);
                ++ran_;
            } catch (const sim::Broken& what) {
                const std::scoped_lock lock(mutex_);
                if (!failed_ || seed < failed_->first)
                    failed_.emplace(seed, what.what());
                stop_ = true;
            }
        }
    }

public:
    Runner(const Settings& settings, std::uint64_t first, std::uint64_t last) : settings_(settings), last_(last), next_(first) {}

    void run()
    {
        const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(static_cast<std::int64_t>(settings_.minutes * 60'000));
        std::vector<std::jthread> threads;
        for (unsigned i = 0; i < std::max(settings_.threads, 1u); ++i)
            threads.emplace_back([this, until] { work(until); });
    }
    const sim::Coverage& coverage() const { return coverage_; }
    std::uint64_t ran() const { return ran_; }
    const std::optional<std::pair<std::uint64_t, std::string>>& failed() const { return failed_; }
};

void tell_failure(const char* program, std::uint64_t seed, const std::string& what, const Settings& settings)
{
    std::cout << fmt::format("seed {}: {}\nrepeat it with: {} {} --trace\n", seed, what, program, sim::command_line(seed, settings.run));
    if (!settings.shrink) {
        std::cout << fmt::format("make it small with: {} {} --shrink\n", program, sim::command_line(seed, settings.run));
        return;
    }
    const auto small = sim::shrink(seed, settings.run, std::chrono::minutes(5));
    std::cout << fmt::format("{} of {} jobs and {} of {} faults are enough: {}\nrepeat it with: {} {} --trace\n",
                             small.jobs - small.without_jobs.size(), small.jobs, small.faults - small.without_faults.size(), small.faults,
                             sim::failure(seed, small).value_or("nothing breaks"), program, sim::command_line(seed, small));
}

int run(const char* program, const Settings& settings, std::uint64_t first, std::uint64_t last)
{
    const auto began = std::chrono::steady_clock::now();
    Runner runner(settings, first, last);
    runner.run();
    std::cout << runner.coverage().table();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    if (runner.failed()) {
        tell_failure(program, runner.failed()->first, runner.failed()->second, settings);
        return 1;
    }
    std::cout << fmt::format("{} seeds in {:.1f} s, all invariants held\n", runner.ran(), took.count());
    const auto rare = runner.coverage().rare();
    for (const auto& what : rare)
        std::cout << fmt::format("too rare: {}\n", what);
    return rare.empty() ? 0 : 1;
}

} // namespace

int main(int argc, char** argv)
{
    CLI::App app{"Runs simulated clusters from seeds and checks what must always hold.", "sim_run"};
    Settings settings;
    app.add_option("--seeds", settings.seeds, "One seed, or A..B")->capture_default_str();
    app.add_option("--minutes", settings.minutes, "Stop after so many minutes (0: when all seeds have run)")->capture_default_str();
    app.add_option("--threads", settings.threads, "Seeds at a time")->capture_default_str();
    app.add_option("--jobs", settings.run.jobs, "Submits of one run")->capture_default_str();
    app.add_option("--faults", settings.run.faults, "Planned faults of one run")->capture_default_str();
    app.add_option("--without-jobs", settings.without_jobs, "Leave these submits out: 0-3,9");
    app.add_option("--without-faults", settings.without_faults, "Leave these faults out");
    app.add_flag("--shrink", settings.shrink, "Look for the smallest part of a run that still fails");
    app.add_flag("--trace", settings.run.trace, "Say what happens");
    CLI11_PARSE(app, argc, argv);
    std::uint64_t first = 0, last = 0;
    if (!parse_seeds(settings.seeds, first, last)) {
        std::cerr << "sim_run: --seeds takes a number or A..B with A not above B, not \"" << settings.seeds << "\"\n";
        return 2;
    }
    if (!parse_list(settings.without_jobs, settings.run.without_jobs) || !parse_list(settings.without_faults, settings.run.without_faults)) {
        std::cerr << "sim_run: --without-jobs and --without-faults take numbers and ranges of them: 0-3,9\n";
        return 2;
    }
    return run(argv[0], settings, first, last);
}
