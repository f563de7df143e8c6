#pragma once

#include <dirent.h>

#include <memory>

namespace jarvis {

struct CloseDirectory {
    void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};

// A folder that is being read: opendir(3).
using Directory = std::unique_ptr<DIR, CloseDirectory>;

} // namespace jarvis
