#include "message.hpp"

#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace native {
namespace {

struct Reason {
    char text[128];
};

Reason reason(int error_number)
{
    const char* known = strerrordesc_np(error_number);
    Reason result;
    std::snprintf(result.text, sizeof result.text, "%s", known ? known : "unknown error");
    result.text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(result.text[0])));
    return result;
}

// The machine ran out of something: not the fault of whoever named a path.
bool is_shortage(int error_number)
{
    return error_number == ENOMEM || error_number == EMFILE || error_number == ENFILE || error_number == EAGAIN;
}

struct Line {
    char text[256] = {}; // the kernel looks at no more of it (BINPRM_BUF_SIZE)
    bool read = false;
};

// What follows #! in the script's first line, without blanks around it.
Line interpreter(const char* program)
{
    Line line;
    const int fd = open(program, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return line;
    char head[sizeof line.text] = {};
    const ssize_t size = read(fd, head, sizeof head - 1);
    close(fd);
    if (size < 2)
        return line;
    line.read = true;
    if (head[0] != '#' || head[1] != '!')
        return line;
    const char* word = head + 2;
    word += std::strspn(word, " \t");
    std::snprintf(line.text, sizeof line.text, "%.*s", static_cast<int>(std::strcspn(word, " \t\n")), word);
    return line;
}

std::uint32_t explain_execute(const jarvis_launch& launch, int error_number, char* text, std::uint32_t size)
{
    const Reason why = reason(error_number);
    if (is_shortage(error_number) || access(launch.program, F_OK) != 0) {
        std::snprintf(text, size, "cannot execute %s: %s", launch.program, why.text);
        return JARVIS_FAULT_SYSTEM;
    }
    const Line line = interpreter(launch.program);
    if (error_number == E2BIG)
        std::snprintf(text, size, "cannot execute the script: its arguments and environment are too long");
    else if (error_number == ENOEXEC && line.text[0] == '\0')
        std::snprintf(text, size, "cannot execute the script: its first line does not begin with #! and an interpreter");
    else if (line.text[0] != '\0')
        std::snprintf(text, size, "cannot execute the script: interpreter %s of its first line: %s", line.text, why.text);
    else
        std::snprintf(text, size, "cannot execute the script: %s", why.text);
    return JARVIS_FAULT_USER;
}

std::uint32_t explain_path(const char* what, const char* path, int error_number, char* text, std::uint32_t size)
{
    std::snprintf(text, size, "cannot %s %s: %s", what, path ? path : "/dev/null", reason(error_number).text);
    return path && !is_shortage(error_number) ? JARVIS_FAULT_USER : JARVIS_FAULT_SYSTEM;
}

struct List {
    char text[512] = {};
    std::size_t size = 0;

    void add(const char* form, unsigned number)
    {
        if (size + 16 < sizeof text)
            size += static_cast<std::size_t>(std::snprintf(text + size, sizeof text - size, form, number));
    }
};

// As the kernel writes sets: "0-3,8".
List list_of(const Set& set)
{
    List list;
    for (unsigned first = 0; first < Set::words * Set::word_bits; ++first) {
        if (!set.has(first))
            continue;
        unsigned last = first;
        while (set.has(last + 1))
            ++last;
        list.add(list.size ? ",%u" : "%u", first);
        if (last > first)
            list.add("-%u", last);
        first = last;
    }
    return list;
}

} // namespace

std::uint32_t explain(const jarvis_launch& launch, const Failure& failure, char* text, std::uint32_t size)
{
    const Reason why = reason(failure.error_number);
    switch (failure.step) {
    case Step::directory:
        return explain_path("enter working folder", launch.working_directory, failure.error_number, text, size);
    case Step::input:
        return explain_path("open input file", launch.input_path, failure.error_number, text, size);
    case Step::output:
        return explain_path("open output file", launch.output_path, failure.error_number, text, size);
    case Step::error:
        return explain_path("open error file", launch.error_path, failure.error_number, text, size);
    case Step::execute:
        return explain_execute(launch, failure.error_number, text, size);
    case Step::create:
        if (launch.cgroup)
            std::snprintf(text, size, "cannot start a process in cgroup %s: %s", launch.cgroup, why.text);
        else
            std::snprintf(text, size, "cannot start a process: %s", why.text);
        break;
    case Step::cgroup:
        std::snprintf(text, size, "cannot move a process to cgroup %s: %s", launch.cgroup, why.text);
        break;
    case Step::limit:
        std::snprintf(text, size, "cannot set resource limit number %d: %s", failure.detail, why.text);
        break;
    case Step::affinity:
        std::snprintf(text, size, "cannot bind the job to its cores: %s", why.text);
        break;
    case Step::identity:
        std::snprintf(text, size, "cannot become user %u: %s", launch.uid, why.text);
        break;
    case Step::session:
        std::snprintf(text, size, "cannot make a session: %s", why.text);
        break;
    case Step::descriptors:
        std::snprintf(text, size, "cannot close descriptors: %s", why.text);
        break;
    case Step::cpu_promise:
        std::snprintf(text, size, "its first process may run on CPUs %s, and was promised %s", list_of(failure.found).text,
                      list_of(Set(launch.pus, launch.pu_count)).text);
        return JARVIS_FAULT_NODE;
    case Step::memory_promise:
        std::snprintf(text, size, "its first process may have memory of NUMA nodes %s, and was promised %s", list_of(failure.found).text,
                      list_of(Set(launch.numa_nodes, launch.numa_node_count)).text);
        return JARVIS_FAULT_NODE;
    case Step::memory_policy:
        std::snprintf(text, size, "cannot set the memory policy (%s) for NUMA nodes %s: %s",
                      launch.memory_policy == JARVIS_MEMORY_BIND         ? "bind"
                      : launch.memory_policy == JARVIS_MEMORY_INTERLEAVE ? "interleave"
                                                                         : "unknown",
                      list_of(Set(launch.policy_nodes, launch.policy_node_count)).text, why.text);
        break;
    case Step::none:
        break;
    }
    return JARVIS_FAULT_SYSTEM;
}

} // namespace native
