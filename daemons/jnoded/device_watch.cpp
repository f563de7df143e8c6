// The part of NodeDaemon that looks, after its restart, whether its jobs are still kept from the devices that they were not given.
#include "node_daemon.hpp"

#include "daemon/log.hpp"
#include "devices/device_access.hpp"

namespace jarvis::noded {

using daemon::log;

void NodeDaemon::look_at_devices(const node::JobKey& key, Tracked& job)
{
    const auto recorded = setup_.folder.device_program(key);
    if (!recorded) // not confined, or its shepherd has not come so far: it attaches and looks by itself
        return;
    job.unfit = devices::missing_program(job.cgroup, *recorded);
    if (job.unfit.empty()) {
        log().debug({{"job", key.job}}, "device program {} is there", *recorded);
        return;
    }
    log().error({{"job", key.job}}, "{}: it may open devices that it was not given; this node is drained when it ends", job.unfit);
    registration_.notes.push_back(fmt::format("confinement of job {}: {}", key.job, job.unfit));
}

} // namespace jarvis::noded
