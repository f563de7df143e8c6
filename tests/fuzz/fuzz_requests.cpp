// Text as dependencies, retry rules and constraints. What is accepted stays inside its limits and is written so that it
// reads back as the same.
#include "model/constraint.hpp"
#include "model/dependency.hpp"
#include "model/retry.hpp"
#include "require.hpp"

#include <cstdint>

using namespace jarvis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (auto dependencies = parse_dependencies(text)) {
        JARVIS_REQUIRE(!dependencies->empty() && dependencies->list.size() <= max_dependencies);
        auto again = parse_dependencies(format_dependencies(*dependencies));
        JARVIS_REQUIRE(again && *again == *dependencies);
    }
    if (auto rule = parse_retry(text)) {
        auto again = parse_retry(format_retry(*rule));
        JARVIS_REQUIRE(again && *again == *rule);
        for (std::uint32_t attempt : {1u, 2u, 10u, 1000u}) {
            const auto delay = retry_delay(*rule, JobId{size + 1}, attempt);
            JARVIS_REQUIRE(delay >= Duration{} && delay <= rule->backoff_most);
        }
    }
    if (auto constraint = parse_constraint(text)) {
        auto again = parse_constraint(format_constraint(*constraint));
        JARVIS_REQUIRE(again && *again == *constraint);
        // Without negation, a node that has everything meets everything.
        std::vector<std::string> all;
        for (const auto& step : constraint->every)
            if (step.op == FeatureOp::feature)
                all.push_back(step.feature);
        JARVIS_REQUIRE(matches(*constraint, all));
        JARVIS_REQUIRE(constraint->every.empty() == matches(*constraint, {}));
    }
    return 0;
}
