#pragma once

#include <boost/system/errc.hpp>
#include <boost/system/error_code.hpp>

#include <chrono>

namespace jarvis::wire {

// Whether accept() failed because something has run out that others may give back: accept(2).
inline bool out_of_resources(const boost::system::error_code& error)
{
    return error == boost::system::errc::too_many_files_open ||
           error == boost::system::errc::too_many_files_open_in_system ||
           error == boost::system::errc::no_buffer_space || error == boost::system::errc::not_enough_memory;
}

// Long enough that a daemon without descriptors does not spin, short enough that nobody notices.
inline constexpr std::chrono::milliseconds pause_when_out_of_resources{100};

} // namespace jarvis::wire
