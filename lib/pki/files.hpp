// Small files, read whole, written whole or not at all.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>
#include <sys/types.h>

namespace jarvis::pki {

// Fails with not_found when there is none, and when it is larger than any certificate.
Result<std::string> read_file(const std::string& path);
// The same for a private key: refused when anybody but its owner can read it.
Result<std::string> read_private_file(const std::string& path);
// By a file beside it and a rename, so that a reader sees the old one or the new one; on disk when this returns.
Result<void> write_file(const std::string& path, std::string_view content, mode_t mode);

// Whether something is there; a folder that cannot be looked into is a failure.
Result<bool> exists(const std::string& path);
// Made with its parents when missing.
Result<void> make_folder(const std::string& path);

} // namespace jarvis::pki
