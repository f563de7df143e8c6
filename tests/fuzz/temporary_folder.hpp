// A folder in memory that goes away with the process.
#pragma once

#include "require.hpp"

#include <cstdlib>
#include <filesystem>
#include <string>

namespace jarvis::fuzz {

class TemporaryFolder {
    std::string path_;

public:
    TemporaryFolder()
    {
        const bool memory = std::filesystem::is_directory("/dev/shm");
        path_ = (memory ? std::filesystem::path("/dev/shm") : std::filesystem::temp_directory_path()) / "jarvis-fuzz-XXXXXX";
        JARVIS_REQUIRE(::mkdtemp(path_.data()));
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    ~TemporaryFolder()
    {
        std::error_code ignored; // it is in nobody's way
        std::filesystem::remove_all(path_, ignored);
    }
    const std::string& path() const { return path_; }
};

} // namespace jarvis::fuzz
