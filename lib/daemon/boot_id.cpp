#include "daemon/boot_id.hpp"

#include "base/fd.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace jarvis::daemon {

Result<std::string> read_boot_id(const std::string& file)
{
    Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 65> buffer{};
    auto n = fd ? ::read(fd.get(), buffer.data(), buffer.size()) : -1;
    if (n < 0)
        return std::unexpected(system_error(errno, fmt::format("cannot read the boot id from {}", file)));
    std::string id(buffer.data(), static_cast<std::size_t>(n));
    while (!id.empty() && (id.back() == '\n' || id.back() == ' '))
        id.pop_back();
    bool printable = std::all_of(id.begin(), id.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
    if (id.empty() || id.size() > 64 || !printable)
        return fail(Errc::invalid, "{} holds no boot id: it should be one word of at most 64 characters", file);
    return id;
}

} // namespace jarvis::daemon
