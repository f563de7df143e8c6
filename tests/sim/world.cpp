#include "world.hpp"

namespace jarvis::sim {

void World::after(Duration delay, std::function<void()> run)
{
    steps_.push({now + delay, ++order_, std::move(run)});
}

bool World::step(Duration until)
{
    if (steps_.empty() || steps_.top().at > until) {
        now = until;
        return false;
    }
    auto run = steps_.top().run;
    now = steps_.top().at;
    steps_.pop();
    run();
    return true;
}

} // namespace jarvis::sim
