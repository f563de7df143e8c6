#include "daemon/folders.hpp"

#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>
#include <utility>

namespace jarvis::daemon {

namespace {

Result<void> make_parents(const std::string& path)
{
    for (auto slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
        if (path.find_first_not_of('/', slash) == std::string::npos)
            break; // only slashes follow: this is the folder itself
        auto parent = path.substr(0, slash);
        if (::mkdir(parent.c_str(), 0755) != 0 && errno != EEXIST)
            return std::unexpected(system_error(errno, fmt::format("cannot make the folder {}", parent)));
    }
    return {};
}

Result<void> check_owner_and_mode(int fd, const std::string& path, mode_t mode)
{
    struct stat info {};
    if (::fstat(fd, &info) != 0)
        return std::unexpected(system_error(errno, fmt::format("cannot look at the folder {}", path)));
    if (info.st_uid != ::geteuid())
        return fail(Errc::denied, "the folder {} belongs to uid {}, and this process is of uid {}", path, info.st_uid,
                    ::geteuid());
    if (info.st_mode & ~mode & 0022)
        return fail(Errc::denied, "the folder {} can be written by others (mode {:04o}); take that away with chmod go-w",
                    path, info.st_mode & 07777);
    if (info.st_mode & ~mode & 0777 && ::fchmod(fd, info.st_mode & mode & 07777) != 0)
        return std::unexpected(system_error(errno, fmt::format("cannot make the folder {} private", path)));
    return {};
}

// statfs(2) and linux/magic.h; the parallel ones from their own sources.
constexpr std::pair<std::uint32_t, const char*> network_types[] = {
    {NFS_SUPER_MAGIC, "nfs"}, {SMB_SUPER_MAGIC, "smb"}, {0xff534d42, "cifs"},       {0xfe534d42, "smb2"},
    {0x0bd00bd0, "lustre"},   {0x00c36400, "ceph"},     {0x47504653, "gpfs"},       {0x65735546, "fuse"},
    {AFS_SUPER_MAGIC, "afs"}, {V9FS_MAGIC, "9p"},       {CODA_SUPER_MAGIC, "coda"}, {0x19830326, "beegfs"},
};

} // namespace

Result<Fd> open_private_folder(const std::string& path, mode_t mode)
{
    if (path.empty())
        return fail(Errc::invalid, "the name of a folder is empty");
    if (auto parents = make_parents(path); !parents)
        return std::unexpected(std::move(parents.error()));
    bool made = ::mkdir(path.c_str(), mode) == 0;
    if (!made && errno != EEXIST)
        return std::unexpected(system_error(errno, fmt::format("cannot make the folder {}", path)));
    // A final slash would follow a link after all.
    auto end = path.find_last_not_of('/');
    auto plain = end == std::string::npos ? std::string("/") : path.substr(0, end + 1);
    Fd fd(::open(plain.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd && (errno == ELOOP || errno == ENOTDIR))
        return fail(Errc::invalid, "{} is there, but is not a folder", path);
    if (!fd)
        return std::unexpected(system_error(errno, fmt::format("cannot open the folder {}", path)));
    if (made && ::fchmod(fd.get(), mode) != 0) // mkdir heeds the umask
        return std::unexpected(system_error(errno, fmt::format("cannot set the mode of the folder {}", path)));
    if (auto checked = check_owner_and_mode(fd.get(), path, mode); !checked)
        return std::unexpected(std::move(checked.error()));
    return fd;
}

Result<void> make_private_folder(const std::string& path, mode_t mode)
{
    auto fd = open_private_folder(path, mode);
    if (!fd)
        return std::unexpected(std::move(fd.error()));
    return {};
}

bool on_tmpfs(const std::string& path)
{
    struct statfs info {};
    return ::statfs(path.c_str(), &info) == 0 && (info.f_type == TMPFS_MAGIC || info.f_type == RAMFS_MAGIC);
}

std::optional<std::string> first_writable_tmpfs(std::span<const std::string> folders)
{
    for (const auto& folder : folders)
        if (!folder.empty() && on_tmpfs(folder) && ::eaccess(folder.c_str(), W_OK | X_OK) == 0)
            return folder;
    return std::nullopt;
}

std::optional<std::string> network_file_system(const std::string& path)
{
    struct statfs info {};
    if (::statfs(path.c_str(), &info) != 0)
        return std::nullopt;
    for (const auto& [magic, type] : network_types)
        if (static_cast<std::uint32_t>(info.f_type) == magic)
            return type;
    return std::nullopt;
}

} // namespace jarvis::daemon
