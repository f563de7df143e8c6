// Text as index lists, arrays and the job ids that name parts of them. What is accepted stays inside its limits and is
// written so that it reads back as the same.
#include "base/index_set.hpp"
#include "model/array_spec.hpp"
#include "model/job_id_text.hpp"
#include "require.hpp"

#include <cstdint>

using namespace jarvis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    constexpr std::uint32_t most = max_array_task;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (auto set = parse_index_set(text, most)) {
        JARVIS_REQUIRE(!set->empty() && set->last() <= most);
        std::uint64_t count = 0;
        for (auto [first, last] : set->ranges())
            count += std::uint64_t{last} - first + 1;
        JARVIS_REQUIRE(count == set->size());
        auto again = parse_index_set(format_index_set(*set), most);
        JARVIS_REQUIRE(again && *again == *set);
    }
    if (auto spec = parse_array_spec(text)) {
        JARVIS_REQUIRE(!spec->tasks.empty() && spec->tasks.size() <= max_array_size);
        auto again = parse_array_spec(format_array_spec(*spec));
        JARVIS_REQUIRE(again && *again == *spec);
        JARVIS_REQUIRE(array_step(spec->tasks) > 0);
    }
    if (auto selection = parse_job_selection(text)) {
        JARVIS_REQUIRE(selection->job > 0 && (!selection->tasks || !selection->tasks->empty()));
        auto again = parse_job_selection(format(*selection));
        JARVIS_REQUIRE(again && *again == *selection);
    }
    if (auto job = parse_job_id(text)) {
        auto again = parse_job_id(fmt::format("{}", *job));
        JARVIS_REQUIRE(again && *again == *job);
    }
    return 0;
}
