// A policy plugin as the controller uses it. See include/jarvis/policy.h.
#pragma once

#include "base/ids.hpp"
#include "model/job_request.hpp"
#include "plugin/host.hpp"

#include <jarvis/policy.h>

#include <span>

namespace jarvis::plugin {

enum class QueueOrder : std::uint8_t { strict_fifo = JARVIS_ORDER_STRICT_FIFO };

struct Verdict {
    enum class Kind : std::uint8_t { accept = JARVIS_ACCEPT, change = JARVIS_CHANGE, refuse = JARVIS_REFUSE };
    Kind kind = Kind::accept;
    std::string text; // for the submitter: why it was refused, or what was changed
};

// A stored job as priority() shows it to the plugin.
struct PriorityJob {
    JobId id;
    const JobRequest* request = nullptr;
    Duration waiting{};
    std::int64_t priority = 0;
};

class Policy {
    Loaded<jarvis_policy> plugin_;
    std::unique_ptr<OpenArguments> arguments_;
    void* state_ = nullptr;

    Policy(Loaded<jarvis_policy> plugin, std::unique_ptr<OpenArguments> arguments);

public:
    // Loads, checks the settings, opens.
    static Result<std::unique_ptr<Policy>> open(const Source& source);
    Policy(const Policy&) = delete;
    Policy& operator=(const Policy&) = delete;
    ~Policy();

    std::string_view name() const { return plugin_.header->name; }
    QueueOrder queue_order() const;
    bool has_submit() const { return plugin_.table.submit != nullptr; }
    bool has_priority() const { return plugin_.table.priority != nullptr; }

    // May change the request. Several threads at once; may block.
    Result<Verdict> submit(JobRequest& request) const;
    // One number for each job; all 0 without the member. One call at a time; may block.
    Result<std::vector<std::int64_t>> priority(std::span<const PriorityJob> jobs) const;
};

} // namespace jarvis::plugin
