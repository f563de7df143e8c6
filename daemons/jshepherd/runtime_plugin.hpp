// The runtime plugin of a template: loaded once, inherited by every shepherd that is forked from it.
#pragma once

#include "base/result.hpp"

#include <jarvis/runtime.h>

#include <map>
#include <string>

namespace jarvis::shepherd {

// What was given for one runtime's settings, as typed; the plugin's defaults hold for the others.
using RuntimeSettings = std::map<std::string, std::string>;

class RuntimePlugin {
    const jarvis_runtime* table_ = nullptr;
    void* state_ = nullptr;

public:
    // Opens the shared object, checks version and settings, and calls the plugin's load(). It stays loaded: the process ends first.
    static Result<RuntimePlugin> load(const std::string& file, const RuntimeSettings& settings);

    Result<void> attach();
    struct StartFailure {
        std::uint32_t fault = JARVIS_FAULT_SYSTEM; // enum jarvis_fault
        std::string message;
    };
    std::expected<jarvis_handle, StartFailure> start(const jarvis_launch& launch);
    // The status as waitpid() gives it.
    Result<int> wait(const jarvis_handle& handle);
    void close();
};

} // namespace jarvis::shepherd
