# The library. One object library is compiled once; from it come
#   mneme           the shared library; it exports what cmake/mneme.map lists
#   mneme_static    libmneme.a, in which only the public names are visible
#   mneme_internal  the plain archive of all objects, for tests and benches that see inside

file(GLOB_RECURSE library_sources CONFIGURE_DEPENDS src/*.c src/*.cc)
file(GLOB public_headers CONFIGURE_DEPENDS include/mneme/*.h)

add_library(mneme_objects OBJECT ${library_sources})
target_include_directories(mneme_objects PUBLIC include src)
target_include_directories(mneme_objects SYSTEM PRIVATE ${MNEME_RAPIDJSON_DIR})
target_link_libraries(mneme_objects PUBLIC PkgConfig::MNEME_DEPENDENCIES Threads::Threads m)

add_library(mneme SHARED $<TARGET_OBJECTS:mneme_objects>)
set_target_properties(mneme PROPERTIES
    LINKER_LANGUAGE C
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}
    LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/mneme.map)
target_link_options(mneme PRIVATE -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/mneme.map)
if(NOT MNEME_SANITIZE)
    target_link_options(mneme PRIVATE -Wl,-z,defs)
endif()
target_link_libraries(mneme PRIVATE PkgConfig::MNEME_DEPENDENCIES Threads::Threads m)

# Hidden visibility means nothing inside an archive. So the objects are joined into one and their
# hidden names made local: a program that has a `pack` or a `sha256` of its own still links.
set(joined ${CMAKE_CURRENT_BINARY_DIR}/mneme-joined.o)
add_custom_command(
    OUTPUT ${joined}
    COMMAND ${CMAKE_LINKER} -r --force-group-allocation -o ${joined} $<TARGET_OBJECTS:mneme_objects>
    COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${joined}
    DEPENDS $<TARGET_OBJECTS:mneme_objects>
    COMMAND_EXPAND_LISTS VERBATIM
    COMMENT "Joining the objects of libmneme.a")
add_library(mneme_static STATIC ${joined})
set_target_properties(mneme_static PROPERTIES LINKER_LANGUAGE C OUTPUT_NAME mneme)
target_link_libraries(mneme_static PUBLIC PkgConfig::MNEME_DEPENDENCIES Threads::Threads m)

foreach(library mneme mneme_static)
    target_sources(${library} PUBLIC FILE_SET HEADERS BASE_DIRS include FILES ${public_headers})
endforeach()

add_library(mneme_internal STATIC $<TARGET_OBJECTS:mneme_objects>)
set_target_properties(mneme_internal PROPERTIES LINKER_LANGUAGE C)
target_include_directories(mneme_internal PUBLIC include src)
target_link_libraries(mneme_internal PUBLIC PkgConfig::MNEME_DEPENDENCIES Threads::Threads m)
