// Bytes as what a node daemon's core hears: orders of its controller, ends of jobs, the clock, and what the run-time folder says after a
// restart.
#include "live_node.hpp"

using namespace jarvis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    constexpr int most_steps = 200;
    fuzz::Draw draw(data, size);
    fuzz::LiveNode node(draw);
    for (int steps = 0; steps < most_steps && !draw.done(); ++steps)
        node.step(draw);
    return 0;
}
