// What a daemon counts, and the OpenMetrics text of it. A value is an atomic number, so that whoever counts waits for nobody,
// and a scrape reads it without asking any other thread.
//
// Families and their values are made before the threads that count are started, and live as long as the registry; how many
// there are depends on nothing that happens later, so that a scrape costs the same with one job and with a million.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jarvis::daemon {

// A number of things; of a family of seconds, microseconds.
class Metric {
    std::atomic<std::int64_t> value_{0};

public:
    void add(std::int64_t by = 1) noexcept { value_.fetch_add(by, std::memory_order_relaxed); }
    void add(std::chrono::microseconds time) noexcept { add(time.count()); }
    void set(std::int64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
    std::int64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }
};

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

class Metrics {
public:
    enum class Type : std::uint8_t { counter, gauge };

private:
    struct Sample {
        std::string labels; // as text: {state="pending"}
        Metric value;
    };
    struct Family {
        std::string name, help;
        Type type = Type::counter;
        bool seconds = false;
        std::deque<Sample> samples; // a deque, since values do not move
    };
    std::deque<Family> families_;

    Metric& add(std::string_view name, std::string_view help, Type type, bool seconds, const MetricLabels& labels);

public:
    // A counter only grows. Its samples are called <name>_total, and neither that nor the unit is part of `name`.
    Metric& counter(std::string_view name, std::string_view help, const MetricLabels& labels = {});
    Metric& gauge(std::string_view name, std::string_view help, const MetricLabels& labels = {});
    // A counter of time; `name` ends in _seconds.
    Metric& seconds(std::string_view name, std::string_view help, const MetricLabels& labels = {});

    // OpenMetrics 1.0, in the order in which the families were made.
    std::string text() const;
};

constexpr std::string_view metrics_content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";

} // namespace jarvis::daemon
