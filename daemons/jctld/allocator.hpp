#pragma once

namespace jarvis::jctld {

// What the calling thread has freed goes back to the system now: for a thread that has had much and will sleep.
void give_back_memory();

} // namespace jarvis::jctld
