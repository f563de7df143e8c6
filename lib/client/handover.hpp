// The queue command is called jq, as the JSON processor is. Called like that one, it hands over to it.
#pragma once

#include "client/command_line.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace jarvis::client {

// Whether a call of the name jq, with these words after it, is meant for the JSON processor. In this order:
// - without words it is ours;
// - a word that is no option (a filter: ".a") is the JSON processor's: the queue takes none;
// - so is an option that it has and we have not ("-r", "--slurp");
// - and -j without a list of job ids after it (there it is --join-output);
// - everything else is ours, wrong usage too.
bool meant_for_json_processor(std::span<const Option> ours, std::span<const std::string> words);

// A file by what the kernel calls it, whatever its name.
using FileIdentity = std::pair<std::uint64_t, std::uint64_t>; // st_dev, st_ino
std::optional<FileIdentity> identity_of(const std::string& path);

// The first jq in the folders of PATH that can be run and is neither one of these files nor a build of this command.
std::optional<std::string> find_next_jq(std::string_view path, const std::set<FileIdentity>& skipped);

// Becomes the next jq on PATH; returns (an exit code) only if there is none or it cannot be run.
int hand_over(char** argv);

} // namespace jarvis::client
