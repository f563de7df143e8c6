#include "shrink.hpp"

#include "base/index_set.hpp"

#include <chrono>

namespace jarvis::sim {

namespace {

using Clock = std::chrono::steady_clock;

// Leaves out more and more of one kind (Zeller and Hildebrandt, Simplifying and isolating failure-inducing input, 2002): large
// parts first, then smaller ones.
class Shrinker {
    std::uint64_t seed_;
    Options options_;
    Clock::time_point until_;

    bool still_fails(const Options& options) const { return failure(seed_, options).has_value(); }

public:
    Shrinker(std::uint64_t seed, Options options, Duration time) : seed_(seed), options_(std::move(options)), until_(Clock::now() + time) {}

    // True: something could be left out.
    bool leave_out(std::set<std::uint64_t> Options::* without, std::uint64_t count)
    {
        bool any = false;
        for (auto part = std::max<std::uint64_t>(count / 2, 1);; part /= 2) {
            for (std::uint64_t first = 0; first < count && Clock::now() < until_; first += part) {
                auto less = options_;
                for (auto i = first; i < std::min(first + part, count); ++i)
                    (less.*without).insert(i);
                if ((less.*without).size() > (options_.*without).size() && still_fails(less)) {
                    options_ = std::move(less);
                    any = true;
                }
            }
            if (part == 1 || Clock::now() >= until_)
                return any;
        }
    }
    const Options& options() const { return options_; }
};

std::string list(const std::set<std::uint64_t>& numbers)
{
    IndexSet set;
    for (auto number : numbers)
        set.insert(static_cast<std::uint32_t>(number));
    return format_index_set(set);
}

} // namespace

std::optional<std::string> failure(std::uint64_t seed, const Options& options)
{
    try {
        (void)simulate(seed, options);
        return std::nullopt;
    } catch (const Broken& what) {
        return what.what();
    }
}

Options shrink(std::uint64_t seed, Options options, Duration time)
{
    options.trace = false;
    Shrinker shrinker(seed, options, time);
    for (bool shorter = true; shorter;) {
        shorter = shrinker.leave_out(&Options::without_faults, options.faults);
        shorter |= shrinker.leave_out(&Options::without_jobs, options.jobs);
    }
    return shrinker.options();
}

std::string command_line(std::uint64_t seed, const Options& options)
{
    auto text = fmt::format("--seeds {} --jobs {} --faults {}", seed, options.jobs, options.faults);
    if (!options.without_jobs.empty())
        text += fmt::format(" --without-jobs {}", list(options.without_jobs));
    if (!options.without_faults.empty())
        text += fmt::format(" --without-faults {}", list(options.without_faults));
    return text;
}

} // namespace jarvis::sim
