// Who may do what: the one place that says so.
#pragma once

#include "base/result.hpp"
#include "cluster/commands.hpp"

namespace jarvis::cluster {

inline bool is_operator(const Caller& caller) { return caller.role >= Role::operator_; }

// Cancel, signal, suspend, resume, hold, release: one's own jobs, or any job as an operator.
inline Result<void> may_change(const Caller& caller, const Job& job)
{
    if (caller.uid == job.request->account->uid || is_operator(caller))
        return {};
    return fail(Errc::denied, "job {} belongs to {}", job.id, job.request->account->user);
}

// Script, arguments, paths, comment and environment are the owner's and the operators' to see.
inline bool may_see_contents(const Caller& caller, const Job& job)
{
    return caller.uid == job.request->account->uid || is_operator(caller);
}

// Nobody overtakes others by being unkind to them.
inline Result<void> may_submit(const Caller& caller, const JobRequest& request)
{
    if (request.nice >= 0 || is_operator(caller))
        return {};
    return fail(Errc::denied, "--nice below 0 takes the role operator or admin (see [security]); {} has neither", caller.user);
}

inline Result<void> may_change_nodes(const Caller& caller)
{
    if (is_operator(caller))
        return {};
    return fail(Errc::denied, "{} is no operator; changing nodes takes the role operator or admin (see [security])", caller.user);
}

// Whose jobs do what, as it happens.
inline Result<void> may_read_events(const Caller& caller)
{
    if (is_operator(caller))
        return {};
    return fail(Errc::denied, "{} is no operator; reading the events takes the role operator or admin (see [security])", caller.user);
}

// What a job uses at this moment tells what its program does.
inline Result<void> may_see_usage(const Caller& caller, const Job& job)
{
    if (may_see_contents(caller, job))
        return {};
    return fail(Errc::denied, "job {} belongs to {}, and what a running job uses is its owner's and the operators' to see", job.id,
                job.request->account->user);
}

// What a node can enforce, and why not more, is no secret: everybody reads the same in `jnodes -l` and on the node itself, and it
// decides what a job may ask for. The controller bounds how much is asked at once.
inline Result<void> may_check_nodes(const Caller&) { return {}; }

inline Result<void> may_administrate(const Caller& caller)
{
    if (caller.role == Role::admin)
        return {};
    return fail(Errc::denied, "{} is no administrator; this takes the role admin (see [security])", caller.user);
}

} // namespace jarvis::cluster
