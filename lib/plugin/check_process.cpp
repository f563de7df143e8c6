#include "plugin/check_process.hpp"

#include "base/fd.hpp"
#include "plugin/conformance.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace jarvis::plugin {

namespace {

// What the child says, one line each: a letter, the check's name, and after a tab why it failed.
constexpr char begun = 'b', passed = 'p', failed = 'f';

std::string one_line(std::string_view text)
{
    std::string line(text);
    std::ranges::replace_if(
        line, [](char c) { return c == '\n' || c == '\t'; }, ' ');
    return line;
}

[[noreturn]] void run_child(std::string_view kind, const Source& source, const std::string& folder,
                            std::chrono::seconds limit, int out)
{
    // Not to outlive whoever asked, and no core files for what is expected to crash.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    for (int number = 1; number < NSIG; ++number) // a crash is to be one, whatever handlers our caller has
        std::signal(number, SIG_DFL);
    const auto say = [&](char what, std::string_view name, std::string_view why = {}) {
        const std::string line = fmt::format("{}{}\t{}\n", what, name, one_line(why));
        // A pipe that is gone: so is the reader.
        if (::write(out, line.data(), line.size()) < 0)
            ::_exit(1);
    };
    const CheckListener listener{
        .begin =
            [&](std::string_view name) {
                ::alarm(static_cast<unsigned>(limit.count()));
                say(begun, name);
            },
        .passed = [&](std::string_view name) { say(passed, name); },
        .failed = [&](std::string_view name, std::string_view why) { say(failed, name, why); },
    };
    check_plugin(kind, source, folder, listener);
    ::_exit(0);
}

// Cuts what comes through the pipe into lines and remembers the check that was last begun.
class Listener {
    std::string rest_;
    std::string running_;
    const std::function<void(const CheckResult&)>& each_;

    void line(std::string_view text)
    {
        const auto tab = text.find('\t');
        if (text.empty() || tab == std::string_view::npos)
            return;
        const std::string name(text.substr(1, tab - 1));
        if (text[0] == begun) {
            running_ = name;
            return;
        }
        running_.clear();
        each_({name, text[0] == passed, std::string(text.substr(tab + 1))});
    }

public:
    explicit Listener(const std::function<void(const CheckResult&)>& each) : each_(each) {}
    void read_all(int fd)
    {
        char buffer[4096];
        for (;;) {
            const ssize_t got = ::read(fd, buffer, sizeof buffer);
            if (got < 0 && errno == EINTR)
                continue;
            if (got <= 0)
                return;
            rest_.append(buffer, static_cast<std::size_t>(got));
            for (auto end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n')) {
                line(std::string_view(rest_).substr(0, end));
                rest_.erase(0, end + 1);
            }
        }
    }
    void ended(int status, std::chrono::seconds limit) const
    {
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
            return;
        std::string why;
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
            why = fmt::format("took longer than {} s", limit.count());
        else if (WIFSIGNALED(status))
            why = fmt::format("crashed the process: signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
        else
            why = fmt::format("ended the process with exit code {}", WEXITSTATUS(status));
        each_({running_.empty() ? "between the checks" : running_, false, why});
    }
};

struct Scratch {
    std::string path;
    ~Scratch()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
};

Result<std::string> make_scratch()
{
    const char* base = std::getenv("TMPDIR");
    std::string path = fmt::format("{}/jarvis_check_XXXXXX", base && *base ? base : "/tmp");
    if (!::mkdtemp(path.data()))
        return std::unexpected(system_error(errno, fmt::format("scratch folder {}", path)));
    return path;
}

} // namespace

Result<void> check_in_child(std::string_view kind, const Source& source, std::chrono::seconds limit,
                            const std::function<void(const CheckResult&)>& each)
{
    auto folder = make_scratch();
    if (!folder)
        return std::unexpected(folder.error());
    const Scratch scratch{*folder};
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        return std::unexpected(system_error(errno, "pipe"));
    Fd in(ends[0]);
    Fd out(ends[1]);
    std::fflush(nullptr); // or the child would print what waits in our buffers once more
    const pid_t child = ::fork();
    if (child < 0)
        return std::unexpected(system_error(errno, "fork"));
    if (child == 0)
        run_child(kind, source, scratch.path, limit, out.get());
    out = Fd();
    Listener listener(each);
    listener.read_all(in.get());
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    listener.ended(status, limit);
    return {};
}

} // namespace jarvis::plugin
