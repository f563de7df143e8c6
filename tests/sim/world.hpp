// What everything in a simulated cluster shares: virtual time, chance from a seed, and the list of what went wrong.
#pragma once

#include "base/time.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <queue>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace jarvis::sim {

// An invariant does not hold. The message says which and what was seen.
struct Broken : std::runtime_error {
    using std::runtime_error::runtime_error;
};

template <class... Args>
[[noreturn]] void broken(fmt::format_string<Args...> format, Args&&... args)
{
    throw Broken(fmt::format(format, std::forward<Args>(args)...));
}

class World {
public:
    using Action = std::move_only_function<void()>;

private:
    struct Step {
        Duration at;
        std::uint64_t order;
        std::size_t place;
        bool operator>(const Step& other) const { return at != other.at ? at > other.at : order > other.order; }
    };
    std::priority_queue<Step, std::vector<Step>, std::greater<>> steps_;
    // What the steps do, by their places, which they keep: so the queue moves small numbers alone.
    std::deque<Action> actions_;
    std::vector<std::size_t> free_places_;
    std::uint64_t order_ = 0;
    std::uint64_t steps_at_now_ = 0;
    std::mt19937_64 random_;

public:
    explicit World(std::uint64_t seed) : random_(seed) {}

    Duration now{};                             // since the simulation began
    bool faults = true;                         // off: the cluster must become quiet
    double loss = 0.01;                         // of messages, while there are faults
    std::map<std::string, std::uint64_t> count; // of everything worth counting
    bool trace = false;

    // Steps at the same instant run in the order in which they were planned.
    void after(Duration delay, Action run);
    // The next step; false when there is none before `until`.
    bool step(Duration until);

    std::uint64_t below(std::uint64_t n) { return n == 0 ? 0 : random_() % n; }
    bool chance(double probability) { return static_cast<double>(random_() >> 11) < probability * 9007199254740992.0; }
    // Of a fault: never, once faults are off.
    bool fault(double probability) { return faults && chance(probability); }
    Duration between(Duration low, Duration high)
    {
        return low + Duration(static_cast<std::int64_t>(below(static_cast<std::uint64_t>((high - low).count() + 1))));
    }

    template <class... Args>
    void say(fmt::format_string<Args...> format, Args&&... args)
    {
        if (trace)
            fmt::print("{:>14.6f} {}\n", static_cast<double>(now.count()) / 1e6, fmt::format(format, std::forward<Args>(args)...));
    }
};

} // namespace jarvis::sim
