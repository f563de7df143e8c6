// What it means for a run that its job stands still.
#pragma once

#include "cluster/outcome.hpp"

namespace jarvis::cluster {

// To all nodes of a running job.
void order_suspension(const Job& job, bool suspended, Outcome& outcome);

// Whatever the run goes on to: what it stood still is counted.
inline void end_suspension(Run& run, Instant at)
{
    if (run.suspension)
        run.suspended += at - run.suspension->since;
    run.suspension.reset();
}

} // namespace jarvis::cluster
