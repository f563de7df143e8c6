// Folders that a daemon keeps things in: made with a mode, and checked that nobody else can change what is in them.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <optional>
#include <span>
#include <string>
#include <sys/types.h>

namespace jarvis::daemon {

// Opens the folder (for openat and its kin), making it with exactly this mode if it is missing; missing parents are made
// with mode 0755. It must be a folder and not a link, belong to this process's user, and not be writable for group or
// others unless the mode says so, since then anything in it may be anybody's. Other rights beyond the mode are taken away.
Result<Fd> open_private_folder(const std::string& path, mode_t mode = 0700);
// The same, when only its being there is wanted.
Result<void> make_private_folder(const std::string& path, mode_t mode = 0700);

// Whether a path (that exists) is on a file system that a reboot empties.
bool on_tmpfs(const std::string& path);
// The first of these folders that is on a tmpfs and that this process may write; empty names are skipped.
std::optional<std::string> first_writable_tmpfs(std::span<const std::string> folders);
// Whether a path is on a network file system (NFS, SMB, Lustre, Ceph, GPFS, FUSE), with the file system's name.
std::optional<std::string> network_file_system(const std::string& path);

} // namespace jarvis::daemon
