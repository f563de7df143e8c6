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
    steps_at_now_ = steps_.top().at == now ? steps_at_now_ + 1 : 0;
    if (steps_at_now_ > 100'000)
        broken("time stands still: somebody has something to do again and again, without waiting");
    now = steps_.top().at;
    steps_.pop();
    run();
    return true;
}

} // namespace jarvis::sim
