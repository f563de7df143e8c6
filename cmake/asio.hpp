// Precompiled for everything that uses Asio: without it each such file costs some ten seconds.
#include "standard_library.hpp"

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
