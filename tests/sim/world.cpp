#include "world.hpp"

namespace jarvis::sim {

void World::after(Duration delay, Action run)
{
    if (free_places_.empty()) {
        free_places_.push_back(actions_.size());
        actions_.emplace_back();
    }
    const auto place = free_places_.back();
    free_places_.pop_back();
    actions_[place] = std::move(run);
    steps_.push({now + delay, ++order_, place});
}

bool World::step(Duration until)
{
    if (steps_.empty() || steps_.top().at > until) {
        now = until;
        return false;
    }
    const auto [at, order, place] = steps_.top();
    steps_.pop();
    steps_at_now_ = at == now ? steps_at_now_ + 1 : 0;
    if (steps_at_now_ > 100'000)
        broken("time stands still: somebody has something to do again and again, without waiting");
    now = at;
    auto& run = actions_[place];
    run();
    run = nullptr;
    free_places_.push_back(place);
    return true;
}

} // namespace jarvis::sim
