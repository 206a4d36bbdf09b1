# Installation: the program, the libraries, their headers, the pages for man, mneme.pc and a CMake
# package.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS mneme_program)
install(TARGETS mneme EXPORT mneme-targets FILE_SET HEADERS)
# Its own export: only static linking needs the development files of what mneme stands on.
install(TARGETS mneme_static EXPORT mneme-static-targets FILE_SET HEADERS)

foreach(section 1 5)
    install(DIRECTORY ${MNEME_MANUAL_DIR}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section}
        FILES_MATCHING PATTERN "*.${section}")
endforeach()
install(FILES docs/mneme.3 DESTINATION ${CMAKE_INSTALL_MANDIR}/man3)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/mneme)
install(EXPORT mneme-targets NAMESPACE mneme:: DESTINATION ${package_dir})
install(EXPORT mneme-static-targets NAMESPACE mneme:: DESTINATION ${package_dir})
configure_file(cmake/mneme-config.cmake.in mneme-config.cmake @ONLY)
write_basic_package_version_file(mneme-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES
    ${CMAKE_CURRENT_BINARY_DIR}/mneme-config.cmake
    ${CMAKE_CURRENT_BINARY_DIR}/mneme-config-version.cmake
    DESTINATION ${package_dir})

# mneme.pc finds its prefix from where it lies, so that an installed tree can be moved.
set(pkgconfig_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX
    BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX}/${pkgconfig_dir} OUTPUT_VARIABLE prefix_from_pkgconfig)
# libcurl by its name only: what it stands on itself (Kerberos, LDAP, …) it brings along as a shared
# library, and few have the development files that its own libcurl.pc would ask for.
set(pkgconfig_requires ${MNEME_PKGCONFIG_MODULES})
list(REMOVE_ITEM pkgconfig_requires libcurl)
list(JOIN pkgconfig_requires " " requires_private)
configure_file(cmake/mneme.pc.in mneme.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/mneme.pc DESTINATION ${pkgconfig_dir})
