// Precompiled for the unit tests.
#include "standard_library.hpp"

#include <boost/test/unit_test.hpp>
