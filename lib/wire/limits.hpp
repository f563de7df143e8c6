// How much a message may hold. A site can set lower limits (configuration, [limits]); these are the ones that no message
// passes, so that whatever conversion accepts can be added, multiplied and stored without another look.
#pragma once

#include <cstddef>
#include <cstdint>

namespace jarvis::wire::limits {

// Frames. A reader knows these before it allocates; after Hello a daemon allows what its configuration says.
constexpr std::size_t hello_frame = std::size_t{64} << 10;
constexpr std::size_t default_frame = std::size_t{16} << 20; // [limits] message_size
constexpr std::size_t reply_part = std::size_t{1} << 20;     // a long reply is a stream of messages of at most this

// Text, in bytes.
constexpr std::size_t name = 1 << 10;      // job, partition, user, group, host
constexpr std::size_t path = 4096;         // PATH_MAX; also patterns of output files
constexpr std::size_t comment = 4 << 10;
constexpr std::size_t constraint = 8 << 10;
constexpr std::size_t cause = 4 << 10;     // of a job's end
constexpr std::size_t message = 64 << 10;  // of an Error
constexpr std::size_t boot_id = 64;
constexpr std::size_t note = 1 << 10;      // of a node, and how many
constexpr std::size_t notes = 64;

// What execve(2) takes: MAX_ARG_STRLEN (32 pages, with the final NUL) each.
constexpr std::size_t one_argument = (128 << 10) - 1;
constexpr std::size_t arguments = 1 << 16;
constexpr std::size_t arguments_total = std::size_t{4} << 20;
constexpr std::size_t variables = 1 << 16;
constexpr std::size_t environment_total = std::size_t{16} << 20;
constexpr std::uint64_t script = std::uint64_t{64} << 20;

// Requests.
constexpr std::uint32_t tasks = 1 << 20;
constexpr std::uint32_t cpus_per_task = 1 << 16;
constexpr std::uint64_t cores_of_job = std::uint64_t{1} << 26; // tasks times cpus_per_task
constexpr std::int64_t memory = std::int64_t{1} << 53;         // bytes, of one thing
constexpr std::int32_t nice = 1'000'000'000;                   // either way
constexpr std::int32_t signal = 64;                            // _NSIG
constexpr std::size_t groups = 65536;                          // NGROUPS_MAX
constexpr std::size_t resource_limits = 32;
constexpr std::int64_t duration_us = std::int64_t{1} << 53;    // 285 years
constexpr std::int64_t wall_us = 253'402'300'799'999'999;      // the end of the year 9999

// Nodes.
constexpr std::size_t cores = 1 << 16;     // of one node
constexpr std::size_t pus_of_core = 64;
constexpr std::uint32_t pu = 1 << 20;
constexpr std::size_t numa_nodes = 1 << 12; // of one node
constexpr std::size_t nodes = 1 << 17;      // of a cluster
constexpr std::size_t numa_distances = 1 << 16; // of one node: 256 NUMA nodes; of more none are told
constexpr std::uint32_t distance = 255;     // the kernel's, one byte in ACPI's table
constexpr std::size_t devices = 1 << 12;    // of one node
constexpr std::size_t device_paths = 16;
constexpr std::size_t device_requests = 64; // of a job
constexpr std::uint32_t huge_pages = 1 << 24; // of one size, of a job on a node

} // namespace jarvis::wire::limits
