// Bytes as a stored group of events. What decodes is written again to the same; what check_event() then takes is applied, to a
// state that has jobs and nodes in every condition, and leaves a state that can be stored. The first byte says to which state.
#include "cluster/apply.hpp"
#include "draw.hpp"
#include "journal/codec.hpp"
#include "require.hpp"
#include "snapshot.hpp"
#include "unit/journal/values.hpp"

using namespace jarvis;

namespace {

const std::vector<cluster::State>& states()
{
    static const std::vector<cluster::State> all = [] {
        std::vector<cluster::State> list{cluster::State{}, journal::test::full_state()};
        for (const auto& group : journal::test::groups_of(journal::test::relations())) {
            list.push_back(list.back());
            for (const auto& event : group.events)
                cluster::apply(list.back(), event, group.at);
        }
        return list;
    }();
    return all;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    fuzz::Draw draw(data, size);
    auto state = states()[draw.below(states().size())];
    const auto group = journal::decode_group(draw.rest());
    if (!group)
        return 0;
    const auto bytes = journal::encode_group(*group);
    const auto again = journal::decode_group(bytes);
    JARVIS_REQUIRE(again && journal::encode_group(*again) == bytes);
    for (const auto& event : group->events) {
        if (!journal::check_event(state, event))
            break;
        cluster::apply(state, event, group->at);
    }
    fuzz::check_stored_form(state);
    return 0;
}
