// The one file that compiles Boost.JSON, so that commands need no shared library for it.
#include <boost/json/src.hpp>
