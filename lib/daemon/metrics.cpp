#include "daemon/metrics.hpp"

#include <algorithm>
#include <cassert>

#include <fmt/format.h>

namespace jarvis::daemon {

namespace {

constexpr std::int64_t per_second = 1'000'000;

// OpenMetrics 1.0, "escaped-string".
std::string escaped(std::string_view text)
{
    std::string result;
    for (char c : text) {
        if (c == '\\' || c == '"')
            result += '\\';
        if (c == '\n')
            result += "\\n";
        else
            result += c;
    }
    return result;
}

std::string labels_text(const MetricLabels& labels)
{
    std::string text;
    for (const auto& [name, value] : labels)
        text += fmt::format("{}{}=\"{}\"", text.empty() ? "{" : ",", name, escaped(value));
    return text.empty() ? text : text + "}";
}

std::string value_text(std::int64_t value, bool seconds)
{
    return seconds ? fmt::format("{}.{:06}", value / per_second, value % per_second) : fmt::format("{}", value);
}

} // namespace

Metric& Metrics::add(std::string_view name, std::string_view help, Type type, bool seconds, const MetricLabels& labels)
{
    auto family = std::ranges::find(families_, name, &Family::name);
    if (family == families_.end()) {
        families_.push_back({.name = std::string(name), .help = std::string(help), .type = type, .seconds = seconds, .samples = {}});
        family = std::prev(families_.end());
    }
    assert(family->type == type && family->seconds == seconds);
    auto& sample = family->samples.emplace_back();
    sample.labels = labels_text(labels);
    return sample.value;
}

Metric& Metrics::counter(std::string_view name, std::string_view help, const MetricLabels& labels)
{
    return add(name, help, Type::counter, false, labels);
}

Metric& Metrics::gauge(std::string_view name, std::string_view help, const MetricLabels& labels)
{
    return add(name, help, Type::gauge, false, labels);
}

Metric& Metrics::seconds(std::string_view name, std::string_view help, const MetricLabels& labels)
{
    assert(name.ends_with("_seconds"));
    return add(name, help, Type::counter, true, labels);
}

std::string Metrics::text() const
{
    std::string text;
    for (const auto& family : families_) {
        const bool counter = family.type == Type::counter;
        text += fmt::format("# TYPE {} {}\n", family.name, counter ? "counter" : "gauge");
        if (family.seconds)
            text += fmt::format("# UNIT {} seconds\n", family.name);
        text += fmt::format("# HELP {} {}\n", family.name, escaped(family.help));
        for (const auto& sample : family.samples)
            text += fmt::format("{}{}{} {}\n", family.name, counter ? "_total" : "", sample.labels, value_text(sample.value.value(), family.seconds));
    }
    return text + "# EOF\n";
}

} // namespace jarvis::daemon
