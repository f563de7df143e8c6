#include "spawn.hpp"

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <linux/sched.h>
#include <memory>
#include <new>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// The child borrows our memory until it executes, as posix_spawn() does it: copying even a small process costs more than
// everything else here. That needs a stack of its own, and so a few lines of assembly (glibc offers no clone3). Elsewhere,
// and under the sanitizers, which know only their own stacks, the child gets a copy.
#if (defined(__x86_64__) && !defined(__ILP32__) || defined(__aarch64__)) && !defined(NATIVE_SANITIZED)
#define NATIVE_SHARES_MEMORY 1
#else
#define NATIVE_SHARES_MEMORY 0
#endif

#if NATIVE_SHARES_MEMORY
// clone3(args, size); in the child: function(argument) on the stack that args names. Returns as the system call does.
extern "C" __attribute__((visibility("hidden"))) long native_clone3_call(clone_args* args, std::size_t size,
                                                                         int (*function)(void*), void* argument);
#if defined(__x86_64__)
asm(R"(
    .pushsection .text
    .hidden native_clone3_call
    .globl native_clone3_call
    .type native_clone3_call, @function
native_clone3_call:
    .cfi_startproc
    movq %rcx, %r8          # the system call keeps all registers but rax, rcx and r11
    movl $435, %eax
    syscall
    testq %rax, %rax
    jz 1f
    ret
1:  .cfi_undefined rip
    xorl %ebp, %ebp
    movq %r8, %rdi
    call *%rdx
    hlt
    .cfi_endproc
    .size native_clone3_call, . - native_clone3_call
    .popsection
)");
#else
asm(R"(
    .pushsection .text
    .hidden native_clone3_call
    .globl native_clone3_call
    .type native_clone3_call, %function
native_clone3_call:
    .cfi_startproc
    mov x8, #435            // the system call keeps all registers but x0
    svc #0
    cbz x0, 1f
    ret
1:  .cfi_undefined x30
    mov x29, #0
    mov x30, #0
    mov x0, x3
    blr x2
    brk #0
    .cfi_endproc
    .size native_clone3_call, . - native_clone3_call
    .popsection
)");
#endif
#endif

namespace native {
namespace {

// The CPU mask for sched_setaffinity(2), as long as the highest number needs.
class Mask {
    static constexpr std::size_t word_bits = sizeof(unsigned long) * CHAR_BIT;
    static constexpr std::size_t small_words = 1024 / word_bits;

    unsigned long small_[small_words] = {};
    std::unique_ptr<unsigned long[]> large_;
    std::size_t words_ = small_words;

public:
    explicit Mask(const jarvis_launch& launch)
    {
        std::uint32_t highest = 0;
        for (std::uint32_t i = 0; i < launch.pu_count; ++i)
            highest = launch.pus[i] > highest ? launch.pus[i] : highest;
        if (highest / word_bits >= words_) {
            words_ = highest / word_bits + 1;
            large_ = std::make_unique<unsigned long[]>(words_);
        }
        for (std::uint32_t i = 0; i < launch.pu_count; ++i)
            words()[launch.pus[i] / word_bits] |= 1ul << (launch.pus[i] % word_bits);
    }
    unsigned long* words() { return large_ ? large_.get() : small_; }
    std::size_t size() const { return words_ * sizeof(unsigned long); }
};

// A host of version 0.1 has no such members.
std::uint32_t numa_node_count(const jarvis_launch& launch)
{
    return launch.struct_size >= offsetof(jarvis_launch, numa_node_count) + sizeof launch.numa_node_count ? launch.numa_node_count : 0;
}

// Nor has it a policy.
bool has_memory_policy(const jarvis_launch& launch)
{
    return launch.struct_size >= offsetof(jarvis_launch, policy_node_count) + sizeof launch.policy_node_count &&
           launch.memory_policy != JARVIS_MEMORY_DEFAULT;
}

// Where a child with a copy of our memory leaves its failure.
class SharedFailure {
    void* page_ = mmap(nullptr, sizeof(Failure), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

public:
    SharedFailure()
    {
        if (page_ != MAP_FAILED)
            new (page_) Failure;
    }
    SharedFailure(const SharedFailure&) = delete;
    SharedFailure& operator=(const SharedFailure&) = delete;
    ~SharedFailure()
    {
        if (page_ != MAP_FAILED)
            munmap(page_, sizeof(Failure));
    }
    Failure* get() const { return page_ == MAP_FAILED ? nullptr : static_cast<Failure*>(page_); }
};

clone_args clone_arguments(const jarvis_launch& launch)
{
    clone_args args{};
    args.flags = CLONE_VFORK;
    args.exit_signal = SIGCHLD;
    if (launch.cgroup_fd >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = static_cast<std::uint64_t>(launch.cgroup_fd);
    }
    return args;
}

// Each of these returns the process, or a negative errno.

#if NATIVE_SHARES_MEMORY
long clone_sharing(Child& child, Failure& failure)
{
    // One start at a time in a process of one thread.
    alignas(16) static char stack[std::size_t{64} << 10];
    child.failure = &failure;
    clone_args args = clone_arguments(*child.launch);
    args.flags |= CLONE_VM;
    args.stack = reinterpret_cast<std::uintptr_t>(stack);
    args.stack_size = sizeof stack;
    return native_clone3_call(&args, sizeof args, run_child, &child);
}
#endif

long clone_copying(Child& child, Failure& failure)
{
    const SharedFailure shared;
    child.failure = shared.get();
    if (child.failure == nullptr)
        return -ENOMEM;
    clone_args args = clone_arguments(*child.launch);
    long pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid < 0 && errno == ENOSYS) { // some containers' filters say so
        child.join_cgroup = child.launch->cgroup_fd >= 0;
        pid = syscall(SYS_clone, CLONE_VFORK | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
    }
    if (pid == 0)
        run_child(&child);
    if (pid < 0)
        return -errno;
    failure = *shared.get();
    return pid;
}

long clone_child(Child& child, Failure& failure)
{
#if NATIVE_SHARES_MEMORY
    if (const long pid = clone_sharing(child, failure); pid != -ENOSYS)
        return pid;
#endif
    return clone_copying(child, failure);
}

} // namespace

pid_t spawn(const jarvis_launch& launch, Failure& failure)
{
    Mask mask(launch);
    Child child{.launch = &launch, .affinity = mask.words(), .affinity_size = launch.pu_count ? mask.size() : 0};
    Set cpus;
    Set numa_nodes;
    if (launch.flags & JARVIS_LAUNCH_CONFINED) {
        if (launch.pu_count != 0) {
            cpus = Set(launch.pus, launch.pu_count);
            child.cpus = &cpus;
        }
        if (numa_node_count(launch) != 0) {
            numa_nodes = Set(launch.numa_nodes, launch.numa_node_count);
            child.numa_nodes = &numa_nodes;
        }
    }
    Set policy_nodes;
    if (has_memory_policy(launch)) {
        policy_nodes = Set(launch.policy_nodes, launch.policy_node_count);
        child.policy_nodes = &policy_nodes;
    }
    failure = {};
    const long pid = clone_child(child, failure);
    if (pid < 0) {
        failure = {.step = Step::create, .error_number = static_cast<int>(-pid), .detail = 0, .found = {}};
        return -1;
    }
    if (failure.step == Step::none)
        return static_cast<pid_t>(pid);
    while (waitpid(static_cast<pid_t>(pid), nullptr, 0) < 0 && errno == EINTR) {}
    return -1;
}

} // namespace native
