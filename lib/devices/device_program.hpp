// A cgroup's device policy as a program of the kernel's BPF machine (linux/bpf.h, BPF_PROG_TYPE_CGROUP_DEVICE).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <linux/bpf.h>

namespace jarvis::devices {

enum class Kind : std::uint32_t { block = BPF_DEVCG_DEV_BLOCK, character = BPF_DEVCG_DEV_CHAR };

struct Rule {
    Kind kind = Kind::character;
    std::uint32_t major = 0;
    std::optional<std::uint32_t> minor; // nothing: all of them
    bool allowed = true;                // to be read and written
    friend auto operator<=>(const Rule&, const Rule&) = default;
};

// Nobody makes device files, whatever the rules say.
struct Policy {
    std::vector<Rule> rules; // the first that matches holds
    bool otherwise = true;   // what no rule matches
    friend bool operator==(const Policy&, const Policy&) = default;
};

std::vector<bpf_insn> instructions(const Policy& policy);

} // namespace jarvis::devices
