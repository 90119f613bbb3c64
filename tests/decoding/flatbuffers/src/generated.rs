pub use root::*;

const _: () = ::planus::check_version_compatibility("planus-1.3.0");

/// The root namespace
///
/// Generated from these locations:
/// * File `reading.fbs`
#[no_implicit_prelude]
#[allow(clippy::needless_lifetimes)]
mod root {
    /// The namespace `reading`
    ///
    /// Generated from these locations:
    /// * File `reading.fbs`
    pub mod reading {
        /// The struct `Sample` in the namespace `reading`
        ///
        /// Generated from these locations:
        /// * Struct `Sample` in the file `reading.fbs:4`
        #[derive(
            Copy, Clone, Debug, PartialEq, PartialOrd, Default, ::serde::Serialize, ::serde::Deserialize,
        )]
        pub struct Sample {
            /// The field `sensor` in the struct `Sample`
            pub sensor: u32,

            /// The field `value` in the struct `Sample`
            pub value: f64,
        }

        /// # Safety
        /// The Planus compiler correctly calculates `ALIGNMENT` and `SIZE`.
        unsafe impl ::planus::Primitive for Sample {
            const ALIGNMENT: usize = 8;
            const SIZE: usize = 16;
        }

        #[allow(clippy::identity_op)]
        impl ::planus::WriteAsPrimitive<Sample> for Sample {
            #[inline]
            fn write<const N: usize>(&self, cursor: ::planus::Cursor<'_, N>, buffer_position: u32) {
                let (cur, cursor) = cursor.split::<4, 12>();
                self.sensor.write(cur, buffer_position - 0);
                let cursor = cursor.write::<4, 8>([0; 4]);
                let (cur, cursor) = cursor.split::<8, 0>();
                self.value.write(cur, buffer_position - 8);
                cursor.finish([]);
            }
        }

        impl ::planus::WriteAsOffset<Sample> for Sample {
            #[inline]
            fn prepare(&self, builder: &mut ::planus::Builder) -> ::planus::Offset<Sample> {
                unsafe {
                    builder.write_with(16, 7, |buffer_position, bytes| {
                        let bytes = bytes.as_mut_ptr();

                        ::planus::WriteAsPrimitive::write(
                            self,
                            ::planus::Cursor::new(&mut *(bytes as *mut [::core::mem::MaybeUninit<u8>; 16])),
                            buffer_position,
                        );
                    });
                }
                builder.current_offset()
            }
        }

        impl ::planus::WriteAs<Sample> for Sample {
            type Prepared = Self;
            #[inline]
            fn prepare(&self, _builder: &mut ::planus::Builder) -> Self {
                *self
            }
        }

        impl ::planus::WriteAsOptional<Sample> for Sample {
            type Prepared = Self;
            #[inline]
            fn prepare(&self, _builder: &mut ::planus::Builder) -> ::core::option::Option<Self> {
                ::core::option::Option::Some(*self)
            }
        }

        /// Reference to a deserialized [Sample].
        #[derive(Copy, Clone)]
        pub struct SampleRef<'a>(::planus::ArrayWithStartOffset<'a, 16>);

        impl<'a> SampleRef<'a> {
            /// Getter for the [`sensor` field](Sample#structfield.sensor).
            pub fn sensor(&self) -> u32 {
                let buffer = self.0.advance_as_array::<4>(0).unwrap();

                u32::from_le_bytes(*buffer.as_array())
            }

            /// Getter for the [`value` field](Sample#structfield.value).
            pub fn value(&self) -> f64 {
                let buffer = self.0.advance_as_array::<8>(8).unwrap();

                f64::from_le_bytes(*buffer.as_array())
            }
        }

        impl<'a> ::core::fmt::Debug for SampleRef<'a> {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                let mut f = f.debug_struct("SampleRef");
                f.field("sensor", &self.sensor());
                f.field("value", &self.value());
                f.finish()
            }
        }

        impl<'a> ::core::convert::From<::planus::ArrayWithStartOffset<'a, 16>> for SampleRef<'a> {
            fn from(array: ::planus::ArrayWithStartOffset<'a, 16>) -> Self {
                Self(array)
            }
        }

        impl<'a> ::core::convert::From<SampleRef<'a>> for Sample {
            #[allow(unreachable_code)]
            fn from(value: SampleRef<'a>) -> Self {
                Self { sensor: value.sensor(), value: value.value() }
            }
        }

        impl<'a, 'b> ::core::cmp::PartialEq<SampleRef<'a>> for SampleRef<'b> {
            fn eq(&self, other: &SampleRef<'_>) -> bool {
                self.sensor() == other.sensor() && self.value() == other.value()
            }
        }

        impl<'a, 'b> ::core::cmp::PartialOrd<SampleRef<'a>> for SampleRef<'b> {
            fn partial_cmp(&self, other: &SampleRef<'_>) -> ::core::option::Option<::core::cmp::Ordering> {
                match self.sensor().partial_cmp(&other.sensor()) {
                    ::core::option::Option::Some(::core::cmp::Ordering::Equal) => (),
                    o => return o,
                }

                self.value().partial_cmp(&other.value())
            }
        }

        impl<'a> ::planus::TableRead<'a> for SampleRef<'a> {
            #[inline]
            fn from_buffer(
                buffer: ::planus::SliceWithStartOffset<'a>,
                offset: usize,
            ) -> ::core::result::Result<Self, ::planus::errors::ErrorKind> {
                let buffer = buffer.advance_as_array::<16>(offset)?;
                ::core::result::Result::Ok(Self(buffer))
            }
        }

        impl<'a> ::planus::VectorRead<'a> for SampleRef<'a> {
            const STRIDE: usize = 16;

            #[inline]
            unsafe fn from_buffer(buffer: ::planus::SliceWithStartOffset<'a>, offset: usize) -> Self {
                Self(unsafe { buffer.unchecked_advance_as_array(offset) })
            }
        }

        /// # Safety
        /// The planus compiler generates implementations that initialize
        /// the bytes in `write_values`.
        unsafe impl ::planus::VectorWrite<Sample> for Sample {
            const STRIDE: usize = 16;

            type Value = Sample;

            #[inline]
            fn prepare(&self, _builder: &mut ::planus::Builder) -> Self::Value {
                *self
            }

            #[inline]
            unsafe fn write_values(
                values: &[Sample],
                bytes: *mut ::core::mem::MaybeUninit<u8>,
                buffer_position: u32,
            ) {
                let bytes = bytes as *mut [::core::mem::MaybeUninit<u8>; 16];
                for (i, v) in ::core::iter::Iterator::enumerate(values.iter()) {
                    ::planus::WriteAsPrimitive::write(
                        v,
                        ::planus::Cursor::new(unsafe { &mut *bytes.add(i) }),
                        buffer_position - (16 * i) as u32,
                    );
                }
            }
        }

        /// The table `Reading` in the namespace `reading`
        ///
        /// Generated from these locations:
        /// * Table `Reading` in the file `reading.fbs:9`
        #[derive(Clone, Debug, PartialEq, PartialOrd, ::serde::Serialize, ::serde::Deserialize)]
        pub struct Reading {
            /// The field `device` in the table `Reading`
            pub device: ::planus::alloc::string::String,
            /// The field `site` in the table `Reading`
            pub site: ::planus::alloc::string::String,
            /// The field `at` in the table `Reading`
            pub at: u64,
            /// The field `sequence` in the table `Reading`
            pub sequence: u64,
            /// The field `level` in the table `Reading`
            pub level: f64,
            /// The field `flow` in the table `Reading`
            pub flow: f64,
            /// The field `valid` in the table `Reading`
            pub valid: bool,
            /// The field `samples` in the table `Reading`
            pub samples: ::core::option::Option<::planus::alloc::vec::Vec<self::Sample>>,
            /// The field `note` in the table `Reading`
            pub note: ::planus::alloc::string::String,
        }

        #[allow(clippy::derivable_impls)]
        impl ::core::default::Default for Reading {
            fn default() -> Self {
                Self {
                    device: ::core::default::Default::default(),
                    site: ::core::default::Default::default(),
                    at: 0,
                    sequence: 0,
                    level: 0.0,
                    flow: 0.0,
                    valid: false,
                    samples: ::core::default::Default::default(),
                    note: ::core::default::Default::default(),
                }
            }
        }

        impl Reading {
            /// Creates a [ReadingBuilder] for serializing an instance of this table.
            #[inline]
            pub fn builder() -> ReadingBuilder<()> {
                ReadingBuilder(())
            }

            #[allow(clippy::too_many_arguments)]
            pub fn create(
                builder: &mut ::planus::Builder,
                field_device: impl ::planus::WriteAs<::planus::Offset<str>>,
                field_site: impl ::planus::WriteAs<::planus::Offset<str>>,
                field_at: impl ::planus::WriteAsDefault<u64, u64>,
                field_sequence: impl ::planus::WriteAsDefault<u64, u64>,
                field_level: impl ::planus::WriteAsDefault<f64, f64>,
                field_flow: impl ::planus::WriteAsDefault<f64, f64>,
                field_valid: impl ::planus::WriteAsDefault<bool, bool>,
                field_samples: impl ::planus::WriteAsOptional<::planus::Offset<[self::Sample]>>,
                field_note: impl ::planus::WriteAs<::planus::Offset<str>>,
            ) -> ::planus::Offset<Self> {
                let prepared_device = field_device.prepare(builder);
                let prepared_site = field_site.prepare(builder);
                let prepared_at = field_at.prepare(builder, &0);
                let prepared_sequence = field_sequence.prepare(builder, &0);
                let prepared_level = field_level.prepare(builder, &0.0);
                let prepared_flow = field_flow.prepare(builder, &0.0);
                let prepared_valid = field_valid.prepare(builder, &false);
                let prepared_samples = field_samples.prepare(builder);
                let prepared_note = field_note.prepare(builder);

                let mut table_writer: ::planus::table_writer::TableWriter<22> =
                    ::core::default::Default::default();
                if prepared_at.is_some() {
                    table_writer.write_entry::<u64>(2);
                }
                if prepared_sequence.is_some() {
                    table_writer.write_entry::<u64>(3);
                }
                if prepared_level.is_some() {
                    table_writer.write_entry::<f64>(4);
                }
                if prepared_flow.is_some() {
                    table_writer.write_entry::<f64>(5);
                }
                table_writer.write_entry::<::planus::Offset<str>>(0);
                table_writer.write_entry::<::planus::Offset<str>>(1);
                if prepared_samples.is_some() {
                    table_writer.write_entry::<::planus::Offset<[self::Sample]>>(7);
                }
                table_writer.write_entry::<::planus::Offset<str>>(8);
                if prepared_valid.is_some() {
                    table_writer.write_entry::<bool>(6);
                }

                unsafe {
                    table_writer.finish(builder, |object_writer| {
                        if let ::core::option::Option::Some(prepared_at) = prepared_at {
                            object_writer.write::<_, _, 8>(&prepared_at);
                        }
                        if let ::core::option::Option::Some(prepared_sequence) = prepared_sequence {
                            object_writer.write::<_, _, 8>(&prepared_sequence);
                        }
                        if let ::core::option::Option::Some(prepared_level) = prepared_level {
                            object_writer.write::<_, _, 8>(&prepared_level);
                        }
                        if let ::core::option::Option::Some(prepared_flow) = prepared_flow {
                            object_writer.write::<_, _, 8>(&prepared_flow);
                        }
                        object_writer.write::<_, _, 4>(&prepared_device);
                        object_writer.write::<_, _, 4>(&prepared_site);
                        if let ::core::option::Option::Some(prepared_samples) = prepared_samples {
                            object_writer.write::<_, _, 4>(&prepared_samples);
                        }
                        object_writer.write::<_, _, 4>(&prepared_note);
                        if let ::core::option::Option::Some(prepared_valid) = prepared_valid {
                            object_writer.write::<_, _, 1>(&prepared_valid);
                        }
                    });
                }
                builder.current_offset()
            }
        }

        impl ::planus::WriteAs<::planus::Offset<Reading>> for Reading {
            type Prepared = ::planus::Offset<Self>;

            #[inline]
            fn prepare(&self, builder: &mut ::planus::Builder) -> ::planus::Offset<Reading> {
                ::planus::WriteAsOffset::prepare(self, builder)
            }
        }

        impl ::planus::WriteAsOptional<::planus::Offset<Reading>> for Reading {
            type Prepared = ::planus::Offset<Self>;

            #[inline]
            fn prepare(
                &self,
                builder: &mut ::planus::Builder,
            ) -> ::core::option::Option<::planus::Offset<Reading>> {
                ::core::option::Option::Some(::planus::WriteAsOffset::prepare(self, builder))
            }
        }

        impl ::planus::WriteAsOffset<Reading> for Reading {
            #[inline]
            fn prepare(&self, builder: &mut ::planus::Builder) -> ::planus::Offset<Reading> {
                Reading::create(
                    builder,
                    &self.device,
                    &self.site,
                    self.at,
                    self.sequence,
                    self.level,
                    self.flow,
                    self.valid,
                    &self.samples,
                    &self.note,
                )
            }
        }

        /// Builder for serializing an instance of the [Reading] type.
        ///
        /// Can be created using the [Reading::builder] method.
        #[derive(Debug)]
        #[must_use]
        pub struct ReadingBuilder<State>(State);

        impl ReadingBuilder<()> {
            /// Setter for the [`device` field](Reading#structfield.device).
            #[inline]
            #[allow(clippy::type_complexity)]
            pub fn device<T0>(self, value: T0) -> ReadingBuilder<(T0,)>
            where
                T0: ::planus::WriteAs<::planus::Offset<str>>,
            {
                ReadingBuilder((value,))
            }
        }

        impl<T0> ReadingBuilder<(T0,)> {
            /// Setter for the [`site` field](Reading#structfield.site).
            #[inline]
            #[allow(clippy::type_complexity)]
            pub fn site<T1>(self, value: T1) -> ReadingBuilder<(T0, T1)>
            where
                T1: ::planus::WriteAs<::planus::Offset<str>>,
            {
                let (v0,) = self.0;
                ReadingBuilder((v0, value))
            }
        }

        impl<T0, T1> ReadingBuilder<(T0, T1)> {
            /// Setter for the [`at` field](Reading#structfield.at).
            #[inline]
            #[allow(clippy::type_complexity)]
            pub fn at<T2>(self, value: T2) -> ReadingBuilder<(T0, T1, T2)>
            where
                T2: ::planus::WriteAsDefault<u64, u64>,
            {
                let (v0, v1) = self.0;
                ReadingBuilder((v0, v1, value))
            }

            /// Sets the [`at` field](Reading#structfield.at) to the default value.
            #[inline]
            #[allow(clippy::type_complexity)]
            pub fn at_as_default(self) -> ReadingBuilder<(T0, T1, ::planus::DefaultValue)> {
                self.at(::planus::DefaultValue)
            }
        }

        impl<T0, T1, T2> ReadingBuilder<(T0, T1, T2)> {
            /// Setter for the [`sequence` field](Reading#structfield.sequence).
            #[inline]
            #[allow(clippy::type_complexity)]
            pub fn sequence<T3>(self, value: T3) -> ReadingBuilder<(T0, T1, T2, T3)>
            where
                T3: ::planus::WriteAsDefault<u64, u64>,
            {
                let (v0, v1, v2) = self.0;
                ReadingBuilder((v0, v1, v2, value))
            }

            /// Sets the [`sequence` field](Reading#structfield.sequence) to the default value.
            #[inline]
            #[allow(clippy::type_complexity)]
            pub fn sequence_as_default(self) -> ReadingBuilder<(T0, T1, T2, ::planus::DefaultValue)> {
                self.sequence(::planus::DefaultValue)
            }
        }

        impl<T0, T1, T2, T3> ReadingBuilder<(T0, T1, T2, T3)> {
            /// Setter for the [`level` field](Reading#structfield.level).
            #[inline]
            #[allow(clippy::type_complexity)]
            pub fn level<T4>(self, value: T4) -> ReadingBuilder<(T0, T1, T2, T3, T4)>
            where
                T4: ::planus::WriteAsDefault<f64, f64>,
            {
                let (v0, v1, v2, v3) = self.0;
                ReadingBuilder((v0, v1, v2, v3, value))
            }

            /// Sets the [`level` field](Reading#structfield.level) to the default value.
            #[inline]
            #[allow(clippy::type_complexity)]
            pub fn level_as_default(self) -> ReadingBuilder<(T0, T1, T2, T3, ::planus::DefaultValue)> {
                self.level(::planus::DefaultValue)
            }
        }

        impl<T0, T1, T2, T3, T4> ReadingBuilder<(T0, T1, T2, T3, T4)> {
            /// Setter for the [`flow` field](Reading#structfield.flow).
            #[inline]
            #[allow(clippy::type_complexity)]
            pub fn flow<T5>(self, value: T5) -> ReadingBuilder<(T0, T1, T2, T3, T4, T5)>
            where
                T5: ::planus::WriteAsDefault<f64, f64>,
            {
                let (v0, v1, v2, v3, v4) = self.0;
                ReadingBuilder((v0, v1, v2, v3, v4, value))
            }

            /// Sets the [`flow` field](Reading#structfield.flow) to the default value.
            #[inline]
            #[allow(clippy::type_complexity)]
            pub fn flow_as_default(self) -> ReadingBuilder<(T0, T1, T2, T3, T4, ::planus::DefaultValue)> {
                self.flow(::planus::DefaultValue)
            }
        }

        impl<T0, T1, T2, T3, T4, T5> ReadingBuilder<(T0, T1, T2, T3, T4, T5)> {
            /// Setter for the [`valid` field](Reading#structfield.valid).
            #[inline]
            #[allow(clippy::type_complexity)]
            pub fn valid<T6>(self, value: T6) -> ReadingBuilder<(T0, T1, T2, T3, T4, T5, T6)>
            where
                T6: ::planus::WriteAsDefault<bool, bool>,
            {
                let (v0, v1, v2, v3, v4, v5) = self.0;
                ReadingBuilder((v0, v1, v2, v3, v4, v5, value))
            }

            /// Sets the [`valid` field](Reading#structfield.valid) to the default value.
            #[inline]
            #[allow(clippy::type_complexity)]
            pub fn valid_as_default(
                self,
            ) -> ReadingBuilder<(T0, T1, T2, T3, T4, T5, ::planus::DefaultValue)> {
                self.valid(::planus::DefaultValue)
            }
        }

        impl<T0, T1, T2, T3, T4, T5, T6> ReadingBuilder<(T0, T1, T2, T3, T4, T5, T6)> {
            /// Setter for the [`samples` field](Reading#structfield.samples).
            #[inline]
            #[allow(clippy::type_complexity)]
            pub fn samples<T7>(self, value: T7) -> ReadingBuilder<(T0, T1, T2, T3, T4, T5, T6, T7)>
            where
                T7: ::planus::WriteAsOptional<::planus::Offset<[self::Sample]>>,
            {
                let (v0, v1, v2, v3, v4, v5, v6) = self.0;
                ReadingBuilder((v0, v1, v2, v3, v4, v5, v6, value))
            }

            /// Sets the [`samples` field](Reading#structfield.samples) to null.
            #[inline]
            #[allow(clippy::type_complexity)]
            pub fn samples_as_null(self) -> ReadingBuilder<(T0, T1, T2, T3, T4, T5, T6, ())> {
                self.samples(())
            }
        }

        impl<T0, T1, T2, T3, T4, T5, T6, T7> ReadingBuilder<(T0, T1, T2, T3, T4, T5, T6, T7)> {
            /// Setter for the [`note` field](Reading#structfield.note).
            #[inline]
            #[allow(clippy::type_complexity)]
            pub fn note<T8>(self, value: T8) -> ReadingBuilder<(T0, T1, T2, T3, T4, T5, T6, T7, T8)>
            where
                T8: ::planus::WriteAs<::planus::Offset<str>>,
            {
                let (v0, v1, v2, v3, v4, v5, v6, v7) = self.0;
                ReadingBuilder((v0, v1, v2, v3, v4, v5, v6, v7, value))
            }
        }

        impl<T0, T1, T2, T3, T4, T5, T6, T7, T8> ReadingBuilder<(T0, T1, T2, T3, T4, T5, T6, T7, T8)> {
            /// Finish writing the builder to get an [Offset](::planus::Offset) to a serialized [Reading].
            #[inline]
            pub fn finish(self, builder: &mut ::planus::Builder) -> ::planus::Offset<Reading>
            where
                Self: ::planus::WriteAsOffset<Reading>,
            {
                ::planus::WriteAsOffset::prepare(&self, builder)
            }
        }

        impl<
                T0: ::planus::WriteAs<::planus::Offset<str>>,
                T1: ::planus::WriteAs<::planus::Offset<str>>,
                T2: ::planus::WriteAsDefault<u64, u64>,
                T3: ::planus::WriteAsDefault<u64, u64>,
                T4: ::planus::WriteAsDefault<f64, f64>,
                T5: ::planus::WriteAsDefault<f64, f64>,
                T6: ::planus::WriteAsDefault<bool, bool>,
                T7: ::planus::WriteAsOptional<::planus::Offset<[self::Sample]>>,
                T8: ::planus::WriteAs<::planus::Offset<str>>,
            > ::planus::WriteAs<::planus::Offset<Reading>>
            for ReadingBuilder<(T0, T1, T2, T3, T4, T5, T6, T7, T8)>
        {
            type Prepared = ::planus::Offset<Reading>;

            #[inline]
            fn prepare(&self, builder: &mut ::planus::Builder) -> ::planus::Offset<Reading> {
                ::planus::WriteAsOffset::prepare(self, builder)
            }
        }

        impl<
                T0: ::planus::WriteAs<::planus::Offset<str>>,
                T1: ::planus::WriteAs<::planus::Offset<str>>,
                T2: ::planus::WriteAsDefault<u64, u64>,
                T3: ::planus::WriteAsDefault<u64, u64>,
                T4: ::planus::WriteAsDefault<f64, f64>,
                T5: ::planus::WriteAsDefault<f64, f64>,
                T6: ::planus::WriteAsDefault<bool, bool>,
                T7: ::planus::WriteAsOptional<::planus::Offset<[self::Sample]>>,
                T8: ::planus::WriteAs<::planus::Offset<str>>,
            > ::planus::WriteAsOptional<::planus::Offset<Reading>>
            for ReadingBuilder<(T0, T1, T2, T3, T4, T5, T6, T7, T8)>
        {
            type Prepared = ::planus::Offset<Reading>;

            #[inline]
            fn prepare(
                &self,
                builder: &mut ::planus::Builder,
            ) -> ::core::option::Option<::planus::Offset<Reading>> {
                ::core::option::Option::Some(::planus::WriteAsOffset::prepare(self, builder))
            }
        }

        impl<
                T0: ::planus::WriteAs<::planus::Offset<str>>,
                T1: ::planus::WriteAs<::planus::Offset<str>>,
                T2: ::planus::WriteAsDefault<u64, u64>,
                T3: ::planus::WriteAsDefault<u64, u64>,
                T4: ::planus::WriteAsDefault<f64, f64>,
                T5: ::planus::WriteAsDefault<f64, f64>,
                T6: ::planus::WriteAsDefault<bool, bool>,
                T7: ::planus::WriteAsOptional<::planus::Offset<[self::Sample]>>,
                T8: ::planus::WriteAs<::planus::Offset<str>>,
            > ::planus::WriteAsOffset<Reading> for ReadingBuilder<(T0, T1, T2, T3, T4, T5, T6, T7, T8)>
        {
            #[inline]
            fn prepare(&self, builder: &mut ::planus::Builder) -> ::planus::Offset<Reading> {
                let (v0, v1, v2, v3, v4, v5, v6, v7, v8) = &self.0;
                Reading::create(builder, v0, v1, v2, v3, v4, v5, v6, v7, v8)
            }
        }

        /// Reference to a deserialized [Reading].
        #[derive(Copy, Clone)]
        pub struct ReadingRef<'a>(#[allow(dead_code)] ::planus::table_reader::Table<'a>);

        impl<'a> ReadingRef<'a> {
            /// Getter for the [`device` field](Reading#structfield.device).
            #[inline]
            pub fn device(&self) -> ::planus::Result<&'a ::core::primitive::str> {
                self.0.access_required(0, "Reading", "device")
            }

            /// Getter for the [`site` field](Reading#structfield.site).
            #[inline]
            pub fn site(&self) -> ::planus::Result<&'a ::core::primitive::str> {
                self.0.access_required(1, "Reading", "site")
            }

            /// Getter for the [`at` field](Reading#structfield.at).
            #[inline]
            pub fn at(&self) -> ::planus::Result<u64> {
                ::core::result::Result::Ok(self.0.access(2, "Reading", "at")?.unwrap_or(0))
            }

            /// Getter for the [`sequence` field](Reading#structfield.sequence).
            #[inline]
            pub fn sequence(&self) -> ::planus::Result<u64> {
                ::core::result::Result::Ok(self.0.access(3, "Reading", "sequence")?.unwrap_or(0))
            }

            /// Getter for the [`level` field](Reading#structfield.level).
            #[inline]
            pub fn level(&self) -> ::planus::Result<f64> {
                ::core::result::Result::Ok(self.0.access(4, "Reading", "level")?.unwrap_or(0.0))
            }

            /// Getter for the [`flow` field](Reading#structfield.flow).
            #[inline]
            pub fn flow(&self) -> ::planus::Result<f64> {
                ::core::result::Result::Ok(self.0.access(5, "Reading", "flow")?.unwrap_or(0.0))
            }

            /// Getter for the [`valid` field](Reading#structfield.valid).
            #[inline]
            pub fn valid(&self) -> ::planus::Result<bool> {
                ::core::result::Result::Ok(self.0.access(6, "Reading", "valid")?.unwrap_or(false))
            }

            /// Getter for the [`samples` field](Reading#structfield.samples).
            #[inline]
            pub fn samples(
                &self,
            ) -> ::planus::Result<::core::option::Option<::planus::Vector<'a, self::SampleRef<'a>>>>
            {
                self.0.access(7, "Reading", "samples")
            }

            /// Getter for the [`note` field](Reading#structfield.note).
            #[inline]
            pub fn note(&self) -> ::planus::Result<&'a ::core::primitive::str> {
                self.0.access_required(8, "Reading", "note")
            }
        }

        impl<'a> ::core::fmt::Debug for ReadingRef<'a> {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                let mut f = f.debug_struct("ReadingRef");
                f.field("device", &self.device());
                f.field("site", &self.site());
                f.field("at", &self.at());
                f.field("sequence", &self.sequence());
                f.field("level", &self.level());
                f.field("flow", &self.flow());
                f.field("valid", &self.valid());
                if let ::core::option::Option::Some(field_samples) = self.samples().transpose() {
                    f.field("samples", &field_samples);
                }
                f.field("note", &self.note());
                f.finish()
            }
        }

        impl<'a> ::core::convert::TryFrom<ReadingRef<'a>> for Reading {
            type Error = ::planus::Error;

            #[allow(unreachable_code)]
            fn try_from(value: ReadingRef<'a>) -> ::planus::Result<Self> {
                ::core::result::Result::Ok(Self {
                    device: ::core::convert::Into::into(value.device()?),
                    site: ::core::convert::Into::into(value.site()?),
                    at: ::core::convert::TryInto::try_into(value.at()?)?,
                    sequence: ::core::convert::TryInto::try_into(value.sequence()?)?,
                    level: ::core::convert::TryInto::try_into(value.level()?)?,
                    flow: ::core::convert::TryInto::try_into(value.flow()?)?,
                    valid: ::core::convert::TryInto::try_into(value.valid()?)?,
                    samples: if let ::core::option::Option::Some(samples) = value.samples()? {
                        ::core::option::Option::Some(samples.to_vec()?)
                    } else {
                        ::core::option::Option::None
                    },
                    note: ::core::convert::Into::into(value.note()?),
                })
            }
        }

        impl<'a> ::planus::TableRead<'a> for ReadingRef<'a> {
            #[inline]
            fn from_buffer(
                buffer: ::planus::SliceWithStartOffset<'a>,
                offset: usize,
            ) -> ::core::result::Result<Self, ::planus::errors::ErrorKind> {
                ::core::result::Result::Ok(Self(::planus::table_reader::Table::from_buffer(buffer, offset)?))
            }
        }

        impl<'a> ::planus::VectorReadInner<'a> for ReadingRef<'a> {
            type Error = ::planus::Error;
            const STRIDE: usize = 4;

            unsafe fn from_buffer(
                buffer: ::planus::SliceWithStartOffset<'a>,
                offset: usize,
            ) -> ::planus::Result<Self> {
                ::planus::TableRead::from_buffer(buffer, offset).map_err(|error_kind| {
                    error_kind.with_error_location("[ReadingRef]", "get", buffer.offset_from_start)
                })
            }
        }

        /// # Safety
        /// The planus compiler generates implementations that initialize
        /// the bytes in `write_values`.
        unsafe impl ::planus::VectorWrite<::planus::Offset<Reading>> for Reading {
            type Value = ::planus::Offset<Reading>;
            const STRIDE: usize = 4;
            #[inline]
            fn prepare(&self, builder: &mut ::planus::Builder) -> Self::Value {
                ::planus::WriteAs::prepare(self, builder)
            }

            #[inline]
            unsafe fn write_values(
                values: &[::planus::Offset<Reading>],
                bytes: *mut ::core::mem::MaybeUninit<u8>,
                buffer_position: u32,
            ) {
                let bytes = bytes as *mut [::core::mem::MaybeUninit<u8>; 4];
                for (i, v) in ::core::iter::Iterator::enumerate(values.iter()) {
                    ::planus::WriteAsPrimitive::write(
                        v,
                        ::planus::Cursor::new(unsafe { &mut *bytes.add(i) }),
                        buffer_position - (Self::STRIDE * i) as u32,
                    );
                }
            }
        }

        impl<'a> ::planus::ReadAsRoot<'a> for ReadingRef<'a> {
            fn read_as_root(slice: &'a [u8]) -> ::planus::Result<Self> {
                ::planus::TableRead::from_buffer(
                    ::planus::SliceWithStartOffset { buffer: slice, offset_from_start: 0 },
                    0,
                )
                .map_err(|error_kind| error_kind.with_error_location("[ReadingRef]", "read_as_root", 0))
            }
        }
    }
}
