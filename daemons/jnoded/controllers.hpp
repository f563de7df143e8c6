// Which controllers there are, how they are handed on from group to group, and what can be enforced with what has come through.
#pragma once

#include "base/fd.hpp"
#include "model/topology.hpp"

#include <string>
#include <vector>

namespace jarvis::noded {

// A group, for the words.
struct OpenGroup {
    const Fd& directory;
    std::string path;
};

// Makes the controllers available to the groups below the last of `ours`: what `parent` offers is switched on in our own groups, and
// before that in the parent, if that may be touched. What could not be had is returned in words.
std::vector<std::string> hand_on_controllers(const OpenGroup& parent, const std::vector<OpenGroup>& ours, bool touch_parent, bool version1);

struct TriedCapabilities {
    Capabilities set;
    std::vector<std::string> problems; // with controllers that are there
};
// What works for groups in `jobs`, found out by trying it in one that is made for that and removed.
TriedCapabilities try_capabilities(const Fd& jobs);

} // namespace jarvis::noded
