// Work that is done with the identity of a job's owner and no other: what the owner may not touch is not touched.
#pragma once

#include "base/result.hpp"

#include <functional>
#include <sys/types.h>
#include <vector>

namespace jarvis::shepherd {

struct Owner {
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups;
};

// Whether this process has another identity, and can take that one.
bool must_change_identity(const Owner& owner);

// In a child process, which is given up (killed, not waited for) after so long: a file system may hang.
Result<void> do_as_owner(const Owner& owner, int limit_ms, const std::function<Result<void>()>& work);

} // namespace jarvis::shepherd
