// A cgroup as an open directory: the few things that the code of our tree does with one.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <string>
#include <string_view>

namespace jarvis::noded {

Fd open_directory(int at, const char* name);
// Made where it is missing.
Result<Fd> make_group(const Fd& at, const char* name);
Result<void> write_value(const Fd& group, const char* file, std::string_view value);
// Empty where there is no such file.
std::string read_value(const Fd& group, const char* file);
// Whether it is there, and may be written.
bool has_file(const Fd& group, const char* file);
// A process that is just ending (a template after its launcher) holds its group for a moment. False: errno says why.
bool remove_emptying(const Fd& parent, const char* name);

} // namespace jarvis::noded
