// Runs the conformance checks of a plugin in a process of its own, so that a plugin that crashes or hangs fails its
// check and nothing else.
#pragma once

#include "plugin/host.hpp"

namespace jarvis::plugin {

struct CheckResult {
    std::string name;
    bool passed = false;
    std::string why; // when it did not; one line
};

// `each` is called as the results come in. The scratch folder is made below TMPDIR (else /tmp) and removed. To be
// called while this process has one thread, since it forks. A check that takes longer than `limit` is ended and has
// failed.
Result<void> check_in_child(std::string_view kind, const Source& source, std::chrono::seconds limit,
                            const std::function<void(const CheckResult&)>& each);

} // namespace jarvis::plugin
