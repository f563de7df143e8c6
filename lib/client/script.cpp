#include "client/script.hpp"

#include "base/escape.hpp"
#include "base/fd.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace jarvis::client {

namespace {

std::size_t line_of(std::string_view text, std::size_t position)
{
    return 1 + static_cast<std::size_t>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(position), '\n'));
}

Result<std::string> read_all(int fd, std::string_view name)
{
    std::string text;
    std::size_t used = 0;
    while (true) {
        text.resize(std::max<std::size_t>(used * 2, 64 << 10));
        const auto n = ::read(fd, text.data() + used, text.size() - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return std::unexpected(system_error(errno, fmt::format("cannot read script {}", name)));
        if (n == 0)
            break;
        used += static_cast<std::size_t>(n);
        if (used > max_script_bytes)
            return fail(Errc::invalid, "script {} is larger than {} MiB; a script should start programs, not carry their data", name,
                        max_script_bytes >> 20);
    }
    text.resize(used);
    return text;
}

} // namespace

Result<std::string> read_script(const std::string& path)
{
    if (path == "-")
        return read_all(STDIN_FILENO, "from standard input");
    const auto name = escape_for_terminal(path);
    Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file)
        return std::unexpected(system_error(errno, fmt::format("cannot open script {}", name)));
    struct stat status {};
    if (::fstat(file.get(), &status) == 0 && S_ISDIR(status.st_mode))
        return fail(Errc::invalid, "script {} is a folder", name);
    return read_all(file.get(), name);
}

std::string wrap_command(std::string_view command) { return fmt::format("#!/bin/sh\n{}\n", command); }

Result<void> check_script(std::string_view script, std::string_view name)
{
    const auto shown = escape_for_terminal(name);
    if (script.empty())
        return fail(Errc::invalid, "script {} is empty", shown);
    if (const auto nul = script.find('\0'); nul != std::string_view::npos)
        return fail(Errc::invalid, "{}:{}: script has a NUL byte: it is a program or data, not a script (use --wrap to run a program)",
                    shown, line_of(script, nul));
    if (const auto crlf = script.find("\r\n"); crlf != std::string_view::npos)
        return fail(Errc::invalid, "{}:{}: script has CRLF line ends (made on Windows?); take them off: sed -i 's/\\r$//' {}", shown,
                    line_of(script, crlf), shown);
    if (!script.starts_with("#!"))
        return fail(Errc::invalid, "{}:1: script does not begin with #! and an interpreter, such as #!/bin/bash", shown);
    const auto first_line = script.substr(2, std::min(script.find('\n'), script.size()) - 2);
    if (first_line.find_first_not_of(" \t") == std::string_view::npos)
        return fail(Errc::invalid, "{}:1: script names no interpreter after #!", shown);
    return {};
}

} // namespace jarvis::client
