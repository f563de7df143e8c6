#include "folder.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace sqlite_storage {

using jarvis_plugin::Failure;

namespace {

struct FileSystem {
    std::uint32_t magic;
    const char* name;
};
// statfs(2), "Filesystem magic", and the kernel's magic.h.
constexpr std::array network_file_systems{
    FileSystem{0x6969, "NFS"},      FileSystem{0x517b, "SMB"},        FileSystem{0xfe534d42, "SMB"},
    FileSystem{0xff534d42, "CIFS"}, FileSystem{0x0bd00bd0, "Lustre"}, FileSystem{0x00c36400, "Ceph"},
    FileSystem{0x47504653, "GPFS"}, FileSystem{0x19830326, "BeeGFS"}, FileSystem{0x5346414f, "AFS"},
    FileSystem{0x6b414653, "AFS"},  FileSystem{0x73757245, "Coda"},   FileSystem{0x564c, "NCP"},
    FileSystem{0x01161970, "GFS2"}, FileSystem{0x7461636f, "OCFS2"},  FileSystem{0x01021997, "9P"},
};

// An append is written to the log first and to the database later; and both have pages around the data.
std::uint64_t disk_need(std::uint64_t bytes)
{
    return 2 * bytes + (std::uint64_t{256} << 10);
}

} // namespace

FileDescriptor::~FileDescriptor()
{
    if (fd_ >= 0)
        ::close(fd_);
}

void fail_errno(const std::string& what)
{
    const int cause = errno;
    throw Failure(cause == ENOENT ? JARVIS_NOT_FOUND : JARVIS_UNAVAILABLE,
                  what + ": " + std::generic_category().message(cause));
}

void check_file_system(const std::string& folder)
{
    struct statfs facts {};
    if (::statfs(folder.c_str(), &facts) != 0)
        fail_errno("state folder " + folder);
    const auto magic = static_cast<std::uint32_t>(facts.f_type);
    const auto* found = std::ranges::find(network_file_systems, magic, &FileSystem::magic);
    if (found != network_file_systems.end())
        throw Failure(JARVIS_INVALID,
                      "state folder " + folder + ": lies on " + found->name +
                          ", where neither locks nor fsync can be trusted; choose a folder on a local disk");
}

FileDescriptor lock_folder(const std::string& folder)
{
    const std::string path = folder + "/lock";
    FileDescriptor lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (lock.get() < 0)
        fail_errno(path);
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            throw Failure(JARVIS_UNAVAILABLE, "state folder " + folder + ": is in use by another controller");
        fail_errno(path);
    }
    return lock;
}

std::string readable_size(std::uint64_t bytes)
{
    char text[32];
    if (bytes < (1u << 20))
        std::snprintf(text, sizeof text, "%.1f KiB", static_cast<double>(bytes) / 1024);
    else
        std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / (1 << 20));
    return text;
}

// Below a quarter of the reserve (at least 1 MiB) it is time to turn submits away: what is under way still gets
// through.
Space::Space(std::string folder, std::uint64_t reserve)
    : folder_(std::move(folder)), wanted_(reserve), low_water_(std::max<std::uint64_t>(reserve / 4, 1 << 20))
{
    const std::string path = folder_ + "/reserve";
    file_ = FileDescriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    struct stat facts {};
    if (file_.get() < 0 || ::fstat(file_.get(), &facts) != 0)
        fail_errno(path);
    held_ = static_cast<std::uint64_t>(facts.st_size);
    if (held_ > wanted_)
        resize(wanted_);
}

std::uint64_t Space::free_bytes() const
{
    struct statvfs facts {};
    if (::statvfs(folder_.c_str(), &facts) != 0)
        fail_errno("state folder " + folder_);
    return static_cast<std::uint64_t>(facts.f_bavail) * facts.f_frsize;
}

void Space::resize(std::uint64_t size)
{
    const int code = size > held_ ? ::posix_fallocate(file_.get(), 0, static_cast<off_t>(size))
                                  : (::ftruncate(file_.get(), static_cast<off_t>(size)) == 0 ? 0 : errno);
    if (code == 0) {
        held_ = size;
        return;
    }
    // A file that was filled only in part holds nothing for sure; it goes back to what it was.
    if (size > held_ && ::ftruncate(file_.get(), static_cast<off_t>(held_)) != 0)
        held_ = 0;
}

bool Space::has_room(std::uint64_t bytes) const
{
    return free_bytes() >= low_water_ + disk_need(bytes);
}

void Space::make_room(std::uint64_t bytes)
{
    const std::uint64_t need = disk_need(bytes);
    if (held_ == 0 || free_bytes() >= need)
        return;
    // In quarters, so that the log can be moved into the database too.
    const std::uint64_t give = std::max(need, wanted_ / 4);
    resize(held_ > give ? held_ - give : 0);
}

bool Space::recover(std::string& why)
{
    // Twice the mark, so that status does not flicker around it.
    const std::uint64_t missing = wanted_ - held_;
    if (missing > 0 && free_bytes() >= missing + 2 * low_water_)
        resize(wanted_);
    if (held_ == wanted_ && free_bytes() >= 2 * low_water_)
        return true;
    why = shortage();
    return false;
}

std::string Space::shortage() const
{
    return "the disk of " + folder_ + " is nearly full: " + readable_size(free_bytes()) +
           " are left, and what is kept back is for the ends of running jobs; free some space";
}

} // namespace sqlite_storage
