// Bytes as commands of clients, nodes and the clock to the controller's core, which decides and applies them: a live cluster of a
// few nodes with restarts of its controller.
#include "live_cluster.hpp"

using namespace jarvis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    constexpr int most_steps = 200;
    fuzz::Draw draw(data, size);
    fuzz::LiveCluster cluster(draw);
    for (int steps = 0; steps < most_steps && !draw.done(); ++steps)
        cluster.step(draw);
    return 0;
}
