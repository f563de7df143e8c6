// Bytes as a snapshot, that arrive in pieces. What is read is a whole state: it is written again to the same, and a controller starts
// from it. The first byte says how large the pieces are.
#include "cluster/owner.hpp"
#include "draw.hpp"
#include "journal/codec.hpp"
#include "journal/older_version.hpp"
#include "require.hpp"
#include "snapshot.hpp"

using namespace jarvis;

namespace {

// As after a restart: the clocks, and a pass.
void start_from(cluster::State state)
{
    const auto now = state.now + std::chrono::hours(1);
    const auto wall = state.wall(now);
    const cluster::Command commands[] = {cluster::StartController{wall, state.clock}, cluster::TimePassed{}};
    cluster::Owner owner(std::move(state));
    (void)owner.run(commands, now);
    for (int slices = 0; owner.unfinished() && slices < 100; ++slices)
        (void)owner.run({}, now);
    (void)cluster::next_wake(owner.state());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    fuzz::Draw draw(data, size);
    const std::size_t piece = draw.pick({1u << 20, 1u, 7u, 1000u});
    auto state = fuzz::read_snapshot(draw.rest(), piece);
    const auto whole = fuzz::read_snapshot(draw.rest(), draw.rest().size() + 1);
    JARVIS_REQUIRE(state.has_value() == whole.has_value() && (!state || *state == *whole));
    if (!state)
        return 0;
    fuzz::check_stored_form(*state);
    for (const auto version : journal::older_versions())
        JARVIS_REQUIRE(journal::fitness_for(*state, version));
    start_from(std::move(*state));
    return 0;
}
