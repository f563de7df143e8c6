#include "devices/device_program.hpp"

#include <cstddef>

namespace jarvis::devices {
namespace {

// The kernel calls with R1 at a bpf_cgroup_dev_ctx, and takes R0 for the answer: 0 refuses.
constexpr std::uint8_t answer = BPF_REG_0;
constexpr std::uint8_t context = BPF_REG_1;
constexpr std::uint8_t access_and_kind = BPF_REG_2; // the access in the upper half, the kind in the lower one
constexpr std::uint8_t kind = BPF_REG_3;
constexpr std::uint8_t major_number = BPF_REG_4;
constexpr std::uint8_t minor_number = BPF_REG_5;
constexpr std::int32_t kind_mask = 0xffff;
constexpr std::int32_t makes_a_file = BPF_DEVCG_ACC_MKNOD << 16;

bpf_insn instruction(std::uint8_t code, std::uint8_t to, std::uint8_t from, std::size_t offset, std::int32_t value)
{
    return {.code = code, .dst_reg = to, .src_reg = from, .off = static_cast<std::int16_t>(offset), .imm = value};
}

class Writer {
    std::vector<bpf_insn> code_;

public:
    void load(std::uint8_t to, std::size_t offset)
    {
        code_.push_back(instruction(BPF_LDX | BPF_MEM | BPF_W, to, context, offset, 0));
    }
    void copy(std::uint8_t to, std::uint8_t from) { code_.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0)); }
    void mask(std::uint8_t in, std::int32_t bits) { code_.push_back(instruction(BPF_ALU64 | BPF_AND | BPF_K, in, 0, 0, bits)); }
    void skip_unless(std::uint8_t in, std::uint32_t value, std::size_t instructions)
    {
        // 32 bits wide: a value is not sign-extended for the comparison.
        code_.push_back(instruction(BPF_JMP32 | BPF_JNE | BPF_K, in, 0, instructions, static_cast<std::int32_t>(value)));
    }
    void skip_if_any(std::uint8_t in, std::int32_t bits, std::size_t instructions)
    {
        code_.push_back(instruction(BPF_JMP | BPF_JSET | BPF_K, in, 0, instructions, bits));
    }
    void skip(std::size_t instructions) { code_.push_back(instruction(BPF_JMP | BPF_JA, 0, 0, instructions, 0)); }
    void finish(bool allowed)
    {
        code_.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_K, answer, 0, 0, allowed));
        code_.push_back(instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
    }
    std::vector<bpf_insn> take() { return std::move(code_); }
};

constexpr std::size_t finish_size = 2;

} // namespace

std::vector<bpf_insn> instructions(const Policy& policy)
{
    Writer code;
    code.load(access_and_kind, offsetof(bpf_cgroup_dev_ctx, access_type));
    code.skip_if_any(access_and_kind, makes_a_file, 1);
    code.skip(finish_size);
    code.finish(false);
    code.copy(kind, access_and_kind);
    code.mask(kind, kind_mask);
    code.load(major_number, offsetof(bpf_cgroup_dev_ctx, major));
    code.load(minor_number, offsetof(bpf_cgroup_dev_ctx, minor));
    for (const auto& rule : policy.rules) {
        const std::size_t last = rule.minor ? 1 : 0;
        code.skip_unless(kind, static_cast<std::uint32_t>(rule.kind), 1 + last + finish_size);
        code.skip_unless(major_number, rule.major, last + finish_size);
        if (rule.minor)
            code.skip_unless(minor_number, *rule.minor, finish_size);
        code.finish(rule.allowed);
    }
    code.finish(policy.otherwise);
    return code.take();
}

} // namespace jarvis::devices
