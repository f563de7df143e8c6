// JARVIS_TMPDIR of a job: its owner's alone, and gone with the job.
#pragma once

#include "base/result.hpp"
#include "owner.hpp"

#include <string>

namespace jarvis::shepherd {

Result<void> make_temporary_folder(const std::string& path, const Owner& owner);

// Removes the folder with all that is in it. Nothing of it is read as root: when it is not empty, a child process with the
// owner's identity removes the contents, follows no link and enters no mount. Gives up after ten minutes.
Result<void> remove_temporary_folder(const std::string& path, const Owner& owner);

// What that child does, for a folder that this process may read: removes the contents, not the folder. Fails with the first
// thing that could not be removed, after having removed all that could.
Result<void> remove_contents(const std::string& path);

} // namespace jarvis::shepherd
