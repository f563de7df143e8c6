// A template: the small process of one runtime that shepherds are forked from. It has loaded the runtime's plugin, has no
// thread, and holds nothing but its end of a socket pair with the launcher.
#pragma once

#include "runtime_plugin.hpp"

#include <string>

namespace jarvis::shepherd {

struct TemplateOptions {
    int socket = -1;
    std::string plugin_file;
    RuntimeSettings settings;
};

// Serves until the launcher closes its end; returns the exit code.
int run_template(const TemplateOptions& options);

} // namespace jarvis::shepherd
