// Text as sizes, durations, times, signals and output patterns. What is accepted is in range and prints so that it reads
// back as the same.
#include "base/units.hpp"
#include "model/output_pattern.hpp"
#include "require.hpp"

#include <cstdint>

using namespace jarvis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (auto memory = parse_memory_size(text)) {
        JARVIS_REQUIRE(*memory >= MemorySize{} && *memory <= max_memory_size);
        auto again = parse_memory_size(format_memory_size_exact(*memory));
        JARVIS_REQUIRE(again && *again == *memory);
        JARVIS_REQUIRE(parse_memory_size(format_memory_size(*memory)));
    }
    if (auto duration = parse_duration(text)) {
        JARVIS_REQUIRE(*duration >= Duration{} && *duration <= max_duration);
        auto again = parse_duration(format_duration_exact(*duration));
        JARVIS_REQUIRE(again && *again == *duration);
        JARVIS_REQUIRE(parse_duration(format_duration(*duration)));
    }
    (void)parse_time_limit(text);
    if (auto signal = parse_signal(text)) {
        auto again = parse_signal(signal_name(*signal));
        JARVIS_REQUIRE(again && *again == *signal);
    }
    const WallTime now{std::chrono::seconds{1'795'000'000}};
    if (auto time = parse_wall_time(text, now))
        (void)format_rfc3339(*time);
    if (check_output_pattern(text))
        (void)expand_output_pattern(text, {.job = "7", .name = "n", .user = "u", .array_job = {}, .node = "n1"});
    return 0;
}
