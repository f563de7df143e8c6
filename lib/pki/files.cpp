#include "pki/files.hpp"

#include "base/fd.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace jarvis::pki {

namespace {

constexpr std::size_t largest_file = std::size_t{256} << 10;

Error file_error(std::string_view action, const std::string& path)
{
    const int number = errno;
    auto error = system_error(number, fmt::format("cannot {} {}", action, path));
    if (number == ENOENT)
        error.code = Errc::not_found;
    return error;
}

Result<std::string> read_all(int fd, const std::string& path)
{
    std::string content;
    std::array<char, 16384> block;
    while (content.size() <= largest_file) {
        const auto n = ::read(fd, block.data(), block.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return std::unexpected(file_error("read", path));
        if (n == 0)
            return content;
        content.append(block.data(), static_cast<std::size_t>(n));
    }
    return fail(Errc::invalid, "{} is larger than any key or certificate", path);
}

Result<void> write_all(int fd, std::string_view content, const std::string& path)
{
    while (!content.empty()) {
        const auto n = ::write(fd, content.data(), content.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return std::unexpected(file_error("write", path));
        content.remove_prefix(static_cast<std::size_t>(n));
    }
    if (::fsync(fd) != 0)
        return std::unexpected(file_error("write", path));
    return {};
}

std::string folder_of(const std::string& path)
{
    const auto slash = path.rfind('/');
    if (slash == std::string::npos)
        return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

} // namespace

Result<std::string> read_file(const std::string& path)
{
    Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd)
        return std::unexpected(file_error("open", path));
    return read_all(fd.get(), path);
}

Result<std::string> read_private_file(const std::string& path)
{
    Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd)
        return std::unexpected(file_error("open", path));
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0)
        return std::unexpected(file_error("look at", path));
    if ((info.st_mode & 077) != 0)
        return fail(Errc::denied, "the private key {} can be read by others (mode {:04o}); chmod 600 it", path,
                    info.st_mode & 07777);
    return read_all(fd.get(), path);
}

Result<void> write_file(const std::string& path, std::string_view content, mode_t mode)
{
    std::string temporary = path + ".XXXXXX"; // mkostemp makes it with mode 0600
    Fd fd(::mkostemp(temporary.data(), O_CLOEXEC));
    if (!fd)
        return std::unexpected(file_error("make a file for", path));
    Result<void> written = write_all(fd.get(), content, path);
    if (written && ::fchmod(fd.get(), mode) != 0)
        written = std::unexpected(file_error("set the mode of", path));
    if (written && ::rename(temporary.c_str(), path.c_str()) != 0)
        written = std::unexpected(file_error("write", path));
    if (!written) {
        ::unlink(temporary.c_str());
        return written;
    }
    Fd folder(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder || ::fsync(folder.get()) != 0)
        return std::unexpected(file_error("write the folder of", path));
    return {};
}

Result<bool> exists(const std::string& path)
{
    struct stat info {};
    if (::lstat(path.c_str(), &info) == 0)
        return true;
    if (errno == ENOENT)
        return false;
    return std::unexpected(file_error("look at", path));
}

Result<void> make_folder(const std::string& path)
{
    if (::mkdir(path.c_str(), 0755) == 0)
        return {};
    if (errno == ENOENT && folder_of(path) != path) {
        if (auto made = make_folder(folder_of(path)); !made)
            return made;
        if (::mkdir(path.c_str(), 0755) == 0)
            return {};
    }
    struct stat info {};
    if (errno == EEXIST && ::stat(path.c_str(), &info) == 0) {
        if (S_ISDIR(info.st_mode))
            return {};
        errno = ENOTDIR;
    }
    return std::unexpected(file_error("make the folder", path));
}

} // namespace jarvis::pki
