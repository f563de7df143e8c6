// jadmin pki: the cluster's certificates. It works on files and asks no controller.
#pragma once

#include "client/command_line.hpp"

namespace jarvis {

// Of these options the other actions take only --json.
constexpr std::string_view pki_options[] = {"dir", "name", "uuid", "days", "not-before", "not-after"};

// The words after "pki" are line.words[1] and on.
int run_pki(const client::Program& program, const client::CommandLine& line);

} // namespace jarvis
