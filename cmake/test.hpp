// Precompiled for the unit tests.
#include "asio.hpp"

#include <boost/test/unit_test.hpp>
