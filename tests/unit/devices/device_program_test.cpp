#include "devices/device_access.hpp"

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <cstring>
#include <random>

#include <sys/stat.h>
#include <sys/sysmacros.h>

using namespace jarvis;
using namespace jarvis::devices;

namespace {

constexpr std::uint32_t reads = BPF_DEVCG_ACC_READ, writes = BPF_DEVCG_ACC_WRITE, makes = BPF_DEVCG_ACC_MKNOD;

// The kernel's machine as far as these programs use it, by Documentation/bpf/instruction-set.rst. Whatever else it meets is a failure.
class Machine {
    std::uint64_t registers_[11] = {};

    void load(const bpf_insn& code, const bpf_cgroup_dev_ctx& context)
    {
        BOOST_REQUIRE_EQUAL(int{code.src_reg}, BPF_REG_1);
        BOOST_REQUIRE(code.off >= 0 && code.off + 4 <= static_cast<int>(sizeof context));
        std::uint32_t word = 0;
        std::memcpy(&word, reinterpret_cast<const char*>(&context) + code.off, sizeof word);
        registers_[code.dst_reg] = word;
    }

public:
    bool run(const std::vector<bpf_insn>& code, const bpf_cgroup_dev_ctx& context)
    {
        for (std::size_t at = 0; at < code.size(); ++at) {
            const auto& one = code[at];
            auto& to = registers_[one.dst_reg];
            const auto value = static_cast<std::uint64_t>(static_cast<std::int64_t>(one.imm));
            bool jumps = false;
            switch (one.code) {
            case BPF_LDX | BPF_MEM | BPF_W: load(one, context); break;
            case BPF_ALU64 | BPF_MOV | BPF_X: to = registers_[one.src_reg]; break;
            case BPF_ALU64 | BPF_MOV | BPF_K: to = value; break;
            case BPF_ALU64 | BPF_AND | BPF_K: to &= value; break;
            case BPF_JMP | BPF_JA: jumps = true; break;
            case BPF_JMP | BPF_JSET | BPF_K: jumps = (to & value) != 0; break;
            case BPF_JMP32 | BPF_JNE | BPF_K: jumps = static_cast<std::uint32_t>(to) != static_cast<std::uint32_t>(one.imm); break;
            case BPF_JMP | BPF_EXIT: return registers_[0] != 0;
            default: BOOST_FAIL(fmt::format("instruction {} has code {:#x}", at, int{one.code}));
            }
            if (jumps) {
                BOOST_REQUIRE(one.off >= 0);
                at += static_cast<std::size_t>(one.off);
            }
        }
        BOOST_FAIL("the program runs over its end");
        return false;
    }
};

bool allows(const Policy& policy, std::uint32_t access, Kind kind, std::uint32_t major_number, std::uint32_t minor_number)
{
    return Machine().run(instructions(policy), {access << 16 | static_cast<std::uint32_t>(kind), major_number, minor_number});
}

} // namespace

BOOST_AUTO_TEST_SUITE(device_program)

BOOST_AUTO_TEST_CASE(nobody_makes_device_files)
{
    for (const bool otherwise : {false, true}) {
        const Policy policy{{{Kind::character, 1, 3, true}}, otherwise};
        BOOST_TEST(!allows(policy, makes, Kind::character, 1, 3));
        BOOST_TEST(!allows(policy, makes | reads, Kind::character, 1, 3));
        BOOST_TEST(!allows(policy, makes, Kind::block, 8, 0));
        BOOST_TEST(allows(policy, reads | writes, Kind::character, 1, 3));
        BOOST_TEST(allows(policy, reads, Kind::block, 8, 0) == otherwise);
    }
}

BOOST_AUTO_TEST_CASE(the_first_rule_that_matches_holds)
{
    const Policy policy{{{Kind::character, 195, 1, true}, {Kind::character, 195, {}, false}, {Kind::block, 195, 1, false}}, true};
    BOOST_TEST(allows(policy, reads, Kind::character, 195, 1));
    BOOST_TEST(!allows(policy, reads, Kind::character, 195, 0));
    BOOST_TEST(!allows(policy, writes, Kind::character, 195, 255));
    BOOST_TEST(!allows(policy, reads, Kind::block, 195, 1));
    BOOST_TEST(allows(policy, reads, Kind::block, 195, 0));
    BOOST_TEST(allows(policy, reads, Kind::character, 196, 1));
}

BOOST_AUTO_TEST_CASE(numbers_are_as_wide_as_the_kernels)
{
    constexpr std::uint32_t high = 0xffff'fff0; // would be another number if it were sign-extended
    const Policy policy{{{Kind::character, 0xfff, high, false}}, true};
    BOOST_TEST(!allows(policy, reads, Kind::character, 0xfff, high));
    BOOST_TEST(allows(policy, reads, Kind::character, 0xfff, 0xf0));
}

BOOST_AUTO_TEST_CASE(programs_decide_as_the_rules_say)
{
    std::mt19937 random(1);
    const auto number = [&](std::uint32_t most) { return static_cast<std::uint32_t>(random() % (most + 1)); };
    for (int round = 0; round < 200; ++round) {
        Policy policy{.rules = {}, .otherwise = number(1) == 1};
        for (auto rules = number(12); rules > 0; --rules)
            policy.rules.push_back({number(1) ? Kind::character : Kind::block, number(3),
                                    number(2) ? std::optional(number(3)) : std::nullopt, number(1) == 1});
        const auto code = instructions(policy);
        for (const auto kind : {Kind::block, Kind::character})
            for (std::uint32_t major_number = 0; major_number < 5; ++major_number)
                for (std::uint32_t minor_number = 0; minor_number < 5; ++minor_number) {
                    bool wanted = policy.otherwise;
                    for (const auto& rule : policy.rules)
                        if (rule.kind == kind && rule.major == major_number && rule.minor.value_or(minor_number) == minor_number) {
                            wanted = rule.allowed;
                            break;
                        }
                    const bpf_cgroup_dev_ctx context{reads << 16 | static_cast<std::uint32_t>(kind), major_number, minor_number};
                    BOOST_REQUIRE_EQUAL(Machine().run(code, context), wanted);
                }
    }
}

BOOST_AUTO_TEST_CASE(paths_become_the_devices_that_they_are)
{
    const auto null = Rule{Kind::character, 1, 3, true};
    const auto open = policy_of({.given = {"/dev/null", "/dev/null", "/dev/not_there", "/dev"}, .withheld = {"/dev/null", "/dev/zero"}, .strict = false});
    BOOST_TEST((open == Policy{{null, {Kind::character, 1, 3, false}, {Kind::character, 1, 5, false}}, true}));
    BOOST_TEST(allows(open, reads, Kind::character, 1, 3));
    BOOST_TEST(!allows(open, reads, Kind::character, 1, 5));
}

BOOST_AUTO_TEST_CASE(strict_leaves_what_every_program_expects)
{
    const auto strict = policy_of({.given = {}, .withheld = {}, .strict = true});
    for (const auto* path : {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"}) {
        struct stat status {};
        BOOST_REQUIRE_EQUAL(::stat(path, &status), 0);
        BOOST_TEST(allows(strict, reads | writes, Kind::character, major(status.st_rdev), minor(status.st_rdev)), path);
    }
    BOOST_TEST(allows(strict, reads, Kind::character, 136, 17)); // /dev/pts/17
    BOOST_TEST(!allows(strict, reads, Kind::character, 1, 1));   // /dev/mem
    BOOST_TEST(!allows(strict, reads, Kind::character, 5, 1));   // /dev/console
    BOOST_TEST(!allows(strict, reads, Kind::block, 1, 3));
}

// A job that ends while its node daemon starts again is no fault of the node.
BOOST_AUTO_TEST_CASE(nothing_is_missing_from_a_group_that_is_gone)
{
    BOOST_TEST(missing_program("/sys/fs/cgroup/not_there/jobs/job_1", 7).empty());
    BOOST_TEST(!missing_program("/proc/self", 7).empty()); // a directory, and no cgroup
}

// Where the kernel lets us; the tests in virtual machines do more.
BOOST_AUTO_TEST_CASE(the_kernel_takes_the_programs)
{
    const auto loaded = Program::load(policy_of({.given = {"/dev/null"}, .withheld = {"/dev/zero"}, .strict = true}));
    if (!loaded) {
        BOOST_TEST(loaded.error().message.starts_with("cannot load a device program: "));
        BOOST_TEST_MESSAGE("not tried here: " << loaded.error().message);
        return;
    }
    BOOST_TEST(loaded->id() != 0u);
    const auto nowhere = loaded->attach("/sys/fs/cgroup/not_there");
    BOOST_TEST(!nowhere);
    Policy large;
    for (std::uint32_t minor_number = 0; minor_number < 4096; ++minor_number)
        large.rules.push_back({Kind::character, 200, minor_number, false});
    const auto large_one = Program::load(large);
    BOOST_TEST(large_one.has_value(), (large_one ? "" : large_one.error().message));
}

BOOST_AUTO_TEST_SUITE_END()
